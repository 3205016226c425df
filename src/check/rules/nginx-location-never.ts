/** Names of locations that no path has. */
import { coreServer } from "../../http/modules/core.ts";
import type { Found } from "../finding.ts";
import { headerOfLevel, type Level, placeOfLevel } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";

export const nginxLocationNever = siteRule(
  "nginx-location-never",
  "No ordinary path comes to a location, because of how its name is written.",
  ({ levels }) => levels.flatMap(look),
);

function look(level: Level): readonly Found[] {
  const header = headerOfLevel(level);
  if (header === undefined || header.kind === "regex" || header.kind === "named") return [];
  const { name } = header;
  const reason = reasonOf(name, level);
  if (reason === undefined) return [];
  return [
    {
      severity: "warning",
      title: `No ordinary path comes to location ${name}`,
      why: reason[0],
      fix: reason[1],
      places: [placeOfLevel(level)],
    },
  ];
}

function reasonOf(name: string, level: Level): readonly [why: string, fix: string] | undefined {
  if (!name.startsWith("/")) return ["Every path begins with a slash.", `location /${name}`];
  if (/\?\w*[=&]|\?\w*$/.test(name))
    return [
      "The arguments of a request are no part of the path that locations are compared with; only a path with %3F in it comes here.",
      "compare $args or $arg_name with if, or map them",
    ];
  const encoded = /%[0-9a-f]{2}/i.exec(name);
  if (encoded !== null)
    return [
      `Paths are decoded before locations are compared: ${encoded[0]} is ${JSON.stringify(decode(encoded[0]))} by then. Only a path that is encoded twice comes here.`,
      `location "${name.replace(/%[0-9a-f]{2}/gi, decode)}"`,
    ];
  if (/\/\.\.?(\/|$)/.test(name))
    return ["/./ and /../ are resolved before locations are compared.", "the path without them"];
  if (name.includes("//") && level.scope.conf(coreServer).merge_slashes)
    return [
      "Slashes in a row are one (merge_slashes) before locations are compared.",
      `location ${name.replace(/\/\/+/g, "/")}`,
    ];
  return undefined;
}

function decode(encoded: string): string {
  return String.fromCharCode(Number.parseInt(encoded.slice(1), 16));
}
