/** Bodies of any size. */
import { named, placeOf } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";

export const nginxBodyUnlimited = siteRule(
  "nginx-body-unlimited",
  "client_max_body_size 0 for a whole server: requests may have bodies of any size.",
  ({ levels }) =>
    levels.flatMap((level) => {
      if (level.context !== "http" && level.context !== "server") return [];
      return named(level, "client_max_body_size")
        .filter(({ args }) => /^0+[kmg]?$/i.test(args[0]?.text ?? ""))
        .map((directive) => ({
          severity: "warning" as const,
          title: "A request may have a body of any size",
          why: "Bodies are kept in files until they are complete: one client can fill the disk.",
          fix: "client_max_body_size 10m; and 0 only in the location that takes uploads",
          places: [placeOf(directive)],
        }));
    }),
);
