/** What clients are counted by. */
import type { Found } from "../finding.ts";
import { named, placeOf } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";

/** Fields that a client changes at will; credentials, which it can't, are another matter. */
const AT_WILL =
  /\$\{?(http_x_forwarded_for|http_x_real_ip|http_user_agent|http_referer|http_cookie|proxy_add_x_forwarded_for|arg_\w+|cookie_\w+|request_id)\b/;

export const nginxLimitKey = siteRule(
  "nginx-limit-key",
  "Clients are counted by something that they choose, or all together.",
  ({ levels }) =>
    levels.flatMap((level) =>
      named(level, "limit_req_zone", "limit_conn_zone").flatMap((directive): readonly Found[] => {
        const key = directive.args[0]?.text ?? "";
        const chosen = AT_WILL.exec(key)?.[1];
        if (chosen !== undefined && !/\$\{?(binary_)?remote_addr/.test(key))
          return [
            {
              severity: "warning",
              title: `The limit counts by $${chosen}, which the client chooses`,
              why: "With another value in each request nobody is ever limited, and the zone is filled with keys.",
              fix: "$binary_remote_addr (behind a balancer with set_real_ip_from and real_ip_header)",
              places: [placeOf(directive)],
            },
          ];
        if (key.includes("$")) return [];
        return [
          {
            severity: "warning",
            title: `The limit counts all clients together: ${key} is no variable`,
            why: "One client that asks too often uses up what all others may.",
            fix: "$binary_remote_addr for each client, $server_name where one limit for all is meant",
            places: [placeOf(directive)],
          },
        ];
      }),
    ),
);
