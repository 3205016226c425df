/** `auth_basic` without a file of users asks nobody. */
import { has, holding, labelOf, named, placeOf } from "../nginx/site.ts";
import { absenceRule } from "../nginx/site-rule.ts";

export const nginxAuthVoid = absenceRule(
  "nginx-auth-void",
  "auth_basic without auth_basic_user_file lets everybody in.",
  ({ levels }) =>
    levels.flatMap((level) => {
      const [directive] = named(level, "auth_basic");
      if (directive === undefined || directive.args[0]?.text === "off") return [];
      if (holding(level, "auth_basic_user_file").length > 0) return [];
      const isInside = (inner: typeof level): boolean =>
        has(inner, "auth_basic_user_file") || inner.inner.some(isInside);
      if (isInside(level)) return [];
      return [
        {
          severity: "error" as const,
          title: `${labelOf(level)} asks for no password`,
          why: "Without a file of users the module does nothing at all, and says nothing.",
          fix: "auth_basic_user_file /etc/nginx/htpasswd;",
          places: [placeOf(directive)],
        },
      ];
    }),
);
