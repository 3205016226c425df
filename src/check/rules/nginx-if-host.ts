/** `if ($host = …)`, where a server of its own would do. */
import { rewrite } from "../../http/modules/rewrite.ts";
import { onlyVariable } from "../nginx/patterns.ts";
import { has, placeOfLevel } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";

export const nginxIfHost = siteRule(
  "nginx-if-host",
  "A server asks each request for its host, instead of leaving that to server_name.",
  ({ levels }) =>
    levels.flatMap((level) => {
      if (level.context !== "if in server" || !has(level, "return", "rewrite")) return [];
      const condition = level.outer?.scope.own(rewrite).if?.find(({ scope }) => scope === level.scope)?.header;
      const variable = condition === undefined || condition.kind === "file" ? undefined : onlyVariable(condition.value);
      if (variable !== "host" && variable !== "http_host" && variable !== "server_name") return [];
      return [
        {
          severity: "info" as const,
          title: "The host is compared with if instead of server_name",
          why: "Every request of this server is compared, also those of the right host, and the names that the server takes are in two places.",
          fix: "a server of its own: server { server_name www.example.com; return 301 https://example.com$request_uri; }",
          places: [placeOfLevel(level)],
        },
      ];
    }),
);
