/** `limit_except GET { }` refuses nothing. */
import { placeOfLevel } from "../nginx/site.ts";
import { absenceRule } from "../nginx/site-rule.ts";

export const nginxLimitExceptEmpty = absenceRule(
  "nginx-limit-except-empty",
  "A limit_except block has nothing in it that refuses.",
  ({ levels }) =>
    levels
      .filter(
        ({ context, directives }) =>
          context === "limit_except" && !directives.some(({ name }) => /^(deny|auth_\w+|\w+_pass)$/.test(name)),
      )
      .map((level) => ({
        severity: "warning" as const,
        title: "This limit_except refuses no method",
        why: "The block says what holds for all other methods. Without a deny in it that is the same as for these.",
        fix: `limit_except ${level.opener?.args.map(({ text }) => text).join(" ")} { deny all; }`,
        places: [placeOfLevel(level)],
      })),
);
