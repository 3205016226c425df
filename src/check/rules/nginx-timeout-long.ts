/** Clients that may take their time. */
import { parseMsec } from "../../conf/units.ts";
import { named, placeOf } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";

const LONG_MS = 600_000;

export const nginxTimeoutLong = siteRule(
  "nginx-timeout-long",
  "A client may keep a connection for very long without sending or taking anything.",
  ({ levels }) =>
    levels.flatMap((level) =>
      named(level, "client_header_timeout", "client_body_timeout", "send_timeout", "keepalive_timeout")
        .filter(({ args }) => (parseMsec(args[0]?.text ?? "") ?? 0) > LONG_MS)
        .map((directive) => ({
          severity: "warning" as const,
          title: `${directive.name} is ${directive.args[0]?.text}`,
          why: "A client that sends nothing costs a connection for that long. A few thousand of them, from one machine, and nobody else gets in.",
          fix: `${directive.name} 60s; (for a slow back end it is proxy_read_timeout that has to be long)`,
          places: [placeOf(directive)],
        })),
    ),
);
