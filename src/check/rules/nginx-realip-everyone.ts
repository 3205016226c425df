/** Everybody may say who they are. */
import { named, placeOf } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";

export const nginxRealipEveryone = siteRule(
  "nginx-realip-everyone",
  "Every client may name another address as its own.",
  ({ levels }) =>
    levels.flatMap((level) =>
      named(level, "set_real_ip_from")
        .filter(({ args }) => /^(0\.0\.0\.0\/0|::\/0|0::\/0)$/.test(args[0]?.text ?? ""))
        .map((directive) => ({
          severity: "error" as const,
          title: "Clients can give themselves any address",
          why: "Whoever sends the field is believed: allow and deny, limits for each address and the log go by what the client says.",
          fix: "the addresses of the balancers in front, and nothing else: set_real_ip_from 10.0.0.0/8;",
          places: [placeOf(directive)],
        })),
    ),
);
