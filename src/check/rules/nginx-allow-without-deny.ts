/** `allow` alone lets everybody in. */
import { core } from "../../http/modules/core.ts";
import { heldAccess, ownAccess } from "../nginx/access.ts";
import { labelOf, placeOf } from "../nginx/site.ts";
import { absenceRule } from "../nginx/site-rule.ts";

export const nginxAllowWithoutDeny = absenceRule(
  "nginx-allow-without-deny",
  "A list of allow ends without deny all, and lets everybody in.",
  ({ levels }) =>
    levels.flatMap((level) => {
      const own = ownAccess(level);
      if (own.length === 0 || own.some(({ isAll }) => isAll) || level.scope.conf(core).satisfy === "any") return [];
      const isAllowList = own.every(({ deny }) => !deny);
      const outer = level.outer === undefined ? [] : heldAccess(level.outer);
      const closed = outer.find(({ deny, isAll }) => deny && isAll);
      if (!isAllowList && closed === undefined) return [];
      return [
        {
          severity: "warning" as const,
          title: isAllowList
            ? `${labelOf(level)} lets everybody in, not only those who are allowed`
            : `In ${labelOf(level)} the outer deny all no longer holds`,
          why: isAllowList
            ? "Who is on no line of the list is let in. allow without deny says nothing."
            : "An inner list replaces the outer one, it does not add to it, and who is on no line of a list is let in.",
          fix: "deny all; at the end of the list",
          places: [
            ...own.map(({ directive }) => placeOf(directive)),
            ...(closed === undefined ? [] : [placeOf(closed.directive)]),
          ],
        },
      ];
    }),
);
