/** `error_log off` writes into a file called off. */
import { named, placeOf } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";

export const nginxErrorLogOff = siteRule(
  "nginx-error-log-off",
  "error_log off does not switch the log off, it names a file.",
  ({ main, levels }) =>
    [main, ...levels].flatMap((level) =>
      named(level, "error_log")
        .filter(({ args }) => args[0]?.text === "off")
        .map((directive) => ({
          severity: "warning" as const,
          title: 'Errors are logged into a file called "off"',
          why: "Other than access_log, error_log can't be switched off: the word is a path, below nginx's prefix.",
          fix: "error_log /dev/null crit; or, better, a real file: what goes wrong is told nowhere else",
          places: [placeOf(directive)],
        })),
    ),
);
