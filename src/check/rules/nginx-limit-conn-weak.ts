/** A number of connections that no client needs. */
import { limitConn } from "../../http/modules/limit_conn.ts";
import { linesOf, placeOf } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";

const MANY = 1000;

export const nginxLimitConnWeak = siteRule(
  "nginx-limit-conn-weak",
  "limit_conn lets one address have more connections than it can need.",
  ({ http, levels }) => {
    const zones = new Map(
      (http?.scope.conf(limitConn).limit_conn_zone ?? []).map(({ zone, key }) => [zone, key.text] as const),
    );
    return levels.flatMap((level) =>
      linesOf(level, limitConn, "limit_conn")
        .filter(
          ({ value }) => value.connections > MANY && /^\$(binary_)?remote_addr$/.test(zones.get(value.zone) ?? ""),
        )
        .map(({ value, directive }) => ({
          severity: "info" as const,
          title: `One address may have ${value.connections} requests under way`,
          why: "One machine is enough then to use up all connections of a worker.",
          fix: "limit_conn … 50; (networks behind one address need more than a browser's six or so)",
          places: [placeOf(directive)],
        })),
    );
  },
);
