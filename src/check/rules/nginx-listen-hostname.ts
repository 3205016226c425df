/** `listen example.org:80`: the name is looked up at every start. */
import { named, placeOf } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";
import { hostName, isAddress } from "../nginx/urls.ts";

export const nginxListenHostname = siteRule(
  "nginx-listen-hostname",
  "A listen has the name of a host instead of an address.",
  ({ servers }) =>
    servers.flatMap((server) =>
      named(server, "listen")
        .filter(({ args }) => {
          const host = args[0]?.text ?? "";
          return /[a-z]/i.test(hostName(host)) && !isAddress(host) && hostName(host) !== "localhost";
        })
        .map((directive) => ({
          severity: "info" as const,
          title: `nginx starts only when ${hostName(directive.args[0]?.text ?? "")} can be looked up`,
          why: "The name is resolved while the configuration is read. At boot, or when the name server is away, that fails, and nothing is served.",
          fix: "the address, or only the port: listen 80;",
          places: [placeOf(directive)],
        })),
    ),
);
