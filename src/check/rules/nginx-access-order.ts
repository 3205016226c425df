/** Lines behind `allow all` or `deny all`. */
import { ownAccess } from "../nginx/access.ts";
import { labelOf, placeOf } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";

export const nginxAccessOrder = siteRule(
  "nginx-access-order",
  "Lines of allow and deny stand behind one that fits everybody.",
  ({ levels }) =>
    levels.flatMap((level) => {
      const own = ownAccess(level);
      const end = own.findIndex(({ isAll }) => isAll);
      const dead = own.slice(end + 1);
      if (end < 0 || dead.length === 0) return [];
      return [
        {
          severity: "warning" as const,
          title: `In ${labelOf(level)} ${dead.length === 1 ? "a line" : `${dead.length} lines`} behind ${own[end]?.deny === true ? "deny all" : "allow all"} ${dead.length === 1 ? "is" : "are"} never asked`,
          why: "The first line that fits decides, and all fits everybody.",
          fix: `${own[end]?.deny === true ? "deny" : "allow"} all; as the last line`,
          places: own.slice(end).map(({ directive }) => placeOf(directive)),
        },
      ];
    }),
);
