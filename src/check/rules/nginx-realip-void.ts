/** `real_ip_header` without anybody who is believed. */
import { realip } from "../../http/modules/realip.ts";
import { named, placeOf, within } from "../nginx/site.ts";
import { absenceRule } from "../nginx/site-rule.ts";

export const nginxRealipVoid = absenceRule(
  "nginx-realip-void",
  "real_ip_header without set_real_ip_from changes nothing.",
  ({ levels }) =>
    levels.flatMap((level) => {
      const [directive] = named(level, "real_ip_header");
      if (directive === undefined) return [];
      if (within(level).some(({ scope }) => scope.conf(realip).set_real_ip_from.length > 0)) return [];
      return [
        {
          severity: "warning" as const,
          title: "No address is taken from the field that real_ip_header names",
          why: "Only proxies that set_real_ip_from names are believed, and there are none: $remote_addr stays that of the proxy, for limits, lists and the log.",
          fix: "set_real_ip_from 10.0.0.0/8; with the addresses of the balancers in front",
          places: [placeOf(directive)],
        },
      ];
    }),
);
