/** Limits that only count. */
import { named, placeOf } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";

export const nginxLimitDryRun = siteRule(
  "nginx-limit-dry-run",
  "A limit is on trial and refuses nobody.",
  ({ levels }) =>
    levels.flatMap((level) =>
      named(level, "limit_req_dry_run", "limit_conn_dry_run")
        .filter(({ args }) => args[0]?.text.toLowerCase() === "on")
        .map((directive) => ({
          severity: "info" as const,
          title: `${directive.name === "limit_req_dry_run" ? "limit_req" : "limit_conn"} refuses nobody`,
          why: "With dry_run it only counts and logs: right for a trial, easily forgotten.",
          fix: `${directive.name} off; when the log shows what was expected`,
          places: [placeOf(directive)],
        })),
    ),
);
