/** `return` answers before anybody asks who is there. */
import { ownGuards, returnedStatus } from "../nginx/access.ts";
import { finalReturn, has, labelOf, placeOf } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";

export const nginxReturnBypassesAccess = siteRule(
  "nginx-return-bypasses-access",
  "A location has allow, deny or a password, but its return answers before they are looked at.",
  ({ levels }) =>
    levels.flatMap((level) => {
      const end = finalReturn(level);
      const status = returnedStatus(level);
      if (level.context !== "location" || end === undefined || status === undefined || status >= 400) return [];
      const guards = ownGuards(level).filter(({ name }) => name !== "internal");
      if (guards.length === 0 || has(level, "internal")) return [];
      return [
        {
          severity: "warning" as const,
          title: `Everybody gets what ${labelOf(level)} returns`,
          why: "return belongs to the rewrite phase, which comes before the access phase: allow, deny and passwords are never asked.",
          fix: "try_files /nothing @answer; here, and location @answer { return …; }: try_files comes behind the access phase",
          places: [placeOf(end), ...guards.map(placeOf)],
        },
      ];
    }),
);
