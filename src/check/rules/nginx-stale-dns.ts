/** Names that are looked up once, at the start. */
import { named, placeOf, type Site } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";
import { hostName, isAddress, passesOf, splitUrl, upstreamNames } from "../nginx/urls.ts";

export const nginxStaleDns = siteRule(
  "nginx-stale-dns",
  "The name of a back end is looked up when the server starts and never again.",
  (site) => {
    const directives = [...passes(site), ...servers(site)];
    if (directives.length === 0) return [];
    return [
      {
        severity: "info" as const,
        title: "Names of back ends are looked up once, when the configuration is read",
        why: "When such a name gets another address, as those of clouds and containers do, requests go to the old one until a reload. When it can't be looked up, the server does not start.",
        fix: "in an upstream with zone and resolver: server app.example.com:80 resolve;",
        places: directives.map(placeOf),
      },
    ];
  },
);

function isName(host: string): boolean {
  return /[a-z]/i.test(hostName(host)) && !isAddress(host) && hostName(host) !== "localhost";
}

function passes(site: Site) {
  const upstreams = upstreamNames(site);
  return passesOf(site)
    .filter(({ url, hasVariables }) => {
      const [host] = splitUrl(url).host ?? [];
      return !hasVariables && typeof host === "string" && isName(host) && !upstreams.has(hostName(host));
    })
    .map(({ directive }) => directive);
}

function servers({ levels }: Site) {
  return levels
    .filter(({ context }) => context === "upstream")
    .flatMap((level) => named(level, "server"))
    .filter(({ args }) => isName(args[0]?.text ?? "") && !args.some(({ text }) => text === "resolve"));
}
