/** The back end is told the name of the upstream block. */
import { proxy } from "../../http/modules/proxy.ts";
import { isInternal } from "../nginx/access.ts";
import { placeOf } from "../nginx/site.ts";
import { absenceRule } from "../nginx/site-rule.ts";
import { hostName, passesOf, splitUrl, upstreamNames } from "../nginx/urls.ts";

export const nginxProxyHostMissing = absenceRule(
  "nginx-proxy-host-missing",
  "No proxy_set_header Host: the back end is told the name of an upstream block.",
  (site) => {
    const upstreams = upstreamNames(site);
    const bare = passesOf(site).filter(({ level, url }) => {
      const [host, ...more] = splitUrl(url).host ?? [];
      if (isInternal(level) || typeof host !== "string" || more.length > 0 || !upstreams.has(hostName(host)))
        return false;
      // A name with a dot may well be the host's own.
      if (host.includes(".")) return false;
      return !level.scope.conf(proxy).proxy_set_header.some(({ name }) => name.toLowerCase() === "host");
    });
    if (bare.length === 0) return [];
    return [
      {
        severity: "info" as const,
        title: "Back ends are told the name of the upstream block as Host",
        why: "Without proxy_set_header Host the field is what proxy_pass says: the name in the configuration, which no client has asked for. Links and redirects that the back end builds, and its choice among several sites, go by it.",
        fix: "proxy_set_header Host $host;",
        places: bare.map(({ directive }) => placeOf(directive)),
      },
    ];
  },
);
