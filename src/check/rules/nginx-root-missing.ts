/** Files are looked for in nginx's own folder, because no `root` holds. */

import { core } from "../../http/modules/core.ts";
import type { Found } from "../finding.ts";
import { refusesAll } from "../nginx/access.ts";
import { locationsOf } from "../nginx/lookup.ts";
import {
  contentOf,
  has,
  headerOfLevel,
  type Level,
  labelOf,
  named,
  outwards,
  placeOf,
  placeOfLevel,
  within,
} from "../nginx/site.ts";
import { absenceRule } from "../nginx/site-rule.ts";

export const nginxRootMissing = absenceRule(
  "nginx-root-missing",
  "Files are served, but no root says from where: the compiled-in folder html is used.",
  ({ servers }) => servers.flatMap(look),
);

function look(server: Level): readonly Found[] {
  if (contentOf(server) !== "files" || server.scope.origin(core, "root") !== undefined) return [];
  const locations = within(server).filter(({ context }) => context === "location");
  const withRoot = locations.filter((level) => has(level, "root", "alias"));
  const bare = locations.filter(servesWithoutRoot);
  // Only where some location has files does the server's own level matter: elsewhere it answers 404 by intention.
  const isOpen = withRoot.length > 0 && !locationsOf(server).some((level) => headerOfLevel(level)?.name === "/");
  const levels = isOpen ? [server, ...bare] : bare;
  const [first] = levels;
  if (first === undefined) return [];
  const [root] = withRoot.flatMap((level) => named(level, "root"));
  return [
    {
      severity: "warning",
      title: `${root === undefined ? "No root holds" : "The root of another location does not hold"} in ${labelOf(first)}`,
      why: "A root that stands in one location is not known to the others. Without any, files are looked for in the folder html of nginx's own prefix: clients get the welcome page, or 404.",
      fix: `put the root into the server: ${root === undefined ? "root /srv/www;" : `root ${root.args[0]?.text};`} locations inherit it`,
      places: [...levels.map(placeOfLevel), ...(root === undefined ? [] : [placeOf(root)])],
    },
  ];
}

function servesWithoutRoot(level: Level): boolean {
  if (contentOf(level) !== "files" || refusesAll(level)) return false;
  // Where requests go on elsewhere no file is asked for.
  if (level.directives.some(({ name, args }) => name === "rewrite" && args[2]?.text !== "break")) return false;
  const [inner] = level.inner;
  if (inner !== undefined && level.directives.every(({ name }) => name === "location")) return false;
  if (level.inner.some(({ context }) => context !== "location")) return false;
  for (const at of outwards(level)) if (has(at, "root", "alias")) return false;
  return true;
}
