/** A `root` or `alias` that gives away what is no web site. */
import { headerOfLevel, named, placeOf } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";

const PRIVATE = /^\/(|etc|root|proc|sys|dev|boot|home|var|usr|var\/log|var\/lib)\/?$|^\/(etc|root|proc|sys|dev)\//;

export const nginxRootExposed = siteRule(
  "nginx-root-exposed",
  "The root or alias of a location is a folder of the system.",
  ({ file, levels }) =>
    levels.flatMap((level) => {
      if (headerOfLevel(level)?.kind === "exact") return [];
      const folder = file.slice(0, file.lastIndexOf("/"));
      return named(level, "root", "alias").flatMap((directive) => {
        const path = directive.args[0]?.text ?? "";
        const isConfiguration = folder !== "" && path.replace(/\/$/, "") === folder;
        if (!PRIVATE.test(path) && !isConfiguration) return [];
        return [
          {
            severity: "error" as const,
            title: `The folder ${path} is open to everybody who reaches this server`,
            why: "Whatever nginx's user may read there can be asked for by its path: configuration, keys, users' files.",
            fix: `a folder that holds nothing but the site: ${directive.name} /srv/www;`,
            places: [placeOf(directive)],
          },
        ];
      });
    }),
);
