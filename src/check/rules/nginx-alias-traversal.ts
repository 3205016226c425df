/** `location /files { alias /srv/files/; }`: `/files../x` leaves the folder. */
import type { Found } from "../finding.ts";
import { headerOfLevel, type Level, named, placeOf, placeOfLevel } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";

export const nginxAliasTraversal = siteRule(
  "nginx-alias-traversal",
  "location and alias do not both end with a slash, so that paths leave the folder or miss it.",
  ({ levels }) => levels.flatMap(look),
);

function look(level: Level): readonly Found[] {
  const header = headerOfLevel(level);
  const [alias] = named(level, "alias");
  const folder = alias?.args[0]?.text;
  if (alias === undefined || folder === undefined || folder.includes("$")) return [];
  if (header?.kind !== "prefix" && header?.kind !== "noRegex") return [];
  const { name } = header;
  const places = [placeOfLevel(level), placeOf(alias)];
  if (!name.endsWith("/") && folder.endsWith("/"))
    return [
      {
        severity: "error",
        title: `Through location ${name} files outside of ${folder} can be read`,
        why: `The location's name has no slash at its end, the alias has one: ${name}../x becomes ${folder}../x, a file in the folder above.`,
        fix: `location ${name}/ { alias ${folder}; }`,
        places,
      },
    ];
  if (name.endsWith("/") && !folder.endsWith("/"))
    return [
      {
        severity: "warning",
        title: `The alias of location ${name} lacks its slash`,
        why: `What follows the location's name is put right behind the alias: ${name}x becomes ${folder}x, which is not in the folder ${folder}.`,
        fix: `alias ${folder}/;`,
        places,
      },
    ];
  // One file under one name: what follows the name leads to nothing.
  if (name.endsWith("/") || /\.\w+$/.test(folder)) return [];
  return [
    {
      severity: "info",
      title: `Location ${name} also serves what only begins like it`,
      why: `${name}-old/x becomes ${folder}-old/x: a folder beside the one that is meant.`,
      fix: `location ${name}/ { alias ${folder}/; }`,
      places,
    },
  ];
}
