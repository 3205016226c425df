/** An `alias` in a location with a regular expression, without its captures. */
import { headerOfLevel, named, placeOf, placeOfLevel } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";

export const nginxAliasRegex = siteRule(
  "nginx-alias-regex",
  "The alias of a location with a regular expression uses none of its captures: every path gets the same file.",
  ({ levels }) =>
    levels.flatMap((level) => {
      const header = headerOfLevel(level);
      const [alias] = named(level, "alias");
      if (header?.kind !== "regex" || alias === undefined || (alias.args[0]?.text ?? "").includes("$")) return [];
      return [
        {
          severity: "warning" as const,
          title: `Every path of location ~ ${header.name} gets the same file`,
          why: "In a location with a regular expression the alias is the whole path: nothing of the request's path is put behind it.",
          fix: "capture what belongs to the path and name it: location ~ ^/files/(.*)$ { alias /srv/files/$1; }",
          places: [placeOfLevel(level), placeOf(alias)],
        },
      ];
    }),
);
