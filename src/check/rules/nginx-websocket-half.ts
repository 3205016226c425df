/** Only half of what a WebSocket needs is passed on. */

import { constantOf } from "../../conf/template.ts";
import { proxy } from "../../http/modules/proxy.ts";
import { has, labelOf, placeOf } from "../nginx/site.ts";
import { absenceRule } from "../nginx/site-rule.ts";

export const nginxWebsocketHalf = absenceRule(
  "nginx-websocket-half",
  "Upgrade is passed to a back end without Connection, or the other way round.",
  ({ levels }) =>
    levels.flatMap((level) => {
      if (!has(level, "proxy_pass")) return [];
      const { proxy_set_header: lines, proxy_http_version: version } = level.scope.conf(proxy);
      const line = (name: string) => lines.find((one) => one.name.toLowerCase() === name);
      const upgrade = line("upgrade");
      const connection = line("connection");
      const asked = connection === undefined ? "" : (constantOf(connection.value) ?? "a variable");
      const upgrades = upgrade !== undefined && constantOf(upgrade.value) !== "";
      const isAsked = asked === "a variable" || /upgrade/i.test(asked);
      const missing = upgrades && !isAsked ? "Connection" : !upgrades && /upgrade/i.test(asked) ? "Upgrade" : undefined;
      const isOld = upgrades && isAsked && version === "1.0";
      if (missing === undefined && !isOld) return [];
      const origin = level.scope.origin(proxy, isOld ? "proxy_http_version" : "proxy_set_header")?.directives ?? [];
      return [
        {
          severity: "warning" as const,
          title: isOld
            ? `${labelOf(level)} passes Upgrade on, but in HTTP/1.0`
            : `${labelOf(level)} passes WebSockets on without ${missing}`,
          why: "A connection is only upgraded when both fields come, in HTTP/1.1. The back end takes this for a plain request, and the page's WebSocket fails.",
          fix: 'map $http_upgrade $connection_header { default upgrade; "" ""; } in http, and here proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_header;',
          places: origin
            .filter(({ args }) => isOld || /^(upgrade|connection)$/i.test(args[0]?.text ?? ""))
            .map(placeOf),
        },
      ];
    }),
);
