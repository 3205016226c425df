/** The same `root` in one location after the other. */
import { core } from "../../http/modules/core.ts";
import { labelOf, named, placeOf, within } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";

/** Fewer are no pattern: nginx's own example has two. */
const MANY = 3;

export const nginxRootRepeated = siteRule(
  "nginx-root-repeated",
  "The same root is written into several locations instead of the server.",
  ({ servers }) =>
    servers.flatMap((server) => {
      if (server.scope.origin(core, "root") !== undefined) return [];
      const roots = within(server)
        .filter(({ context }) => context === "location")
        .flatMap((level) => named(level, "root"));
      const path = roots[0]?.args[0]?.text;
      if (roots.length < MANY || roots.some(({ args }) => args[0]?.text !== path)) return [];
      return [
        {
          severity: "info" as const,
          title: `${roots.length} locations of ${labelOf(server)} repeat the same root`,
          why: "The next location that somebody adds has none, and looks for its files in nginx's own folder.",
          fix: `root ${path}; once in the server`,
          places: roots.map(placeOf),
        },
      ];
    }),
);
