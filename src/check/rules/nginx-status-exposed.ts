/** Figures about the server for everybody. */
import { isGuarded } from "../nginx/access.ts";
import { labelOf, named, placeOf, serverOf } from "../nginx/site.ts";
import { absenceRule } from "../nginx/site-rule.ts";

export const nginxStatusExposed = absenceRule(
  "nginx-status-exposed",
  "A status page is open to everybody.",
  ({ levels }) =>
    levels.flatMap((level) => {
      const [directive] = named(level, "stub_status", "api", "vhost_traffic_status_display", "check_status");
      const server = serverOf(level);
      if (directive === undefined || server === undefined || isGuarded(level)) return [];
      const listens = named(server, "listen").map(({ args }) => args[0]?.text ?? "");
      if (listens.length > 0 && listens.every((text) => /^(127\.|localhost|\[::1\]|unix:)/.test(text))) return [];
      return [
        {
          severity: "warning" as const,
          title: `The status page of ${labelOf(level)} is open to everybody`,
          why: "It tells how busy the server is, and whether an attack on it works.",
          fix: "allow 127.0.0.1; deny all; here, or a server that listens on 127.0.0.1 only",
          places: [placeOf(directive)],
        },
      ];
    }),
);
