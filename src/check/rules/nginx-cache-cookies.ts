/** Cookies of one client in answers for all. */
import { proxy } from "../../http/modules/proxy.ts";
import type { Found } from "../finding.ts";
import { contentOf, holding, type Level, placeOf } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";

/** Variables that tell clients apart: with one of them in the key, each has answers of its own. */
const OF_CLIENT = /^(http_cookie|cookie_.*|http_authorization|remote_user|remote_addr|binary_remote_addr)$/;

export const nginxCacheCookies = siteRule(
  "nginx-cache-cookies",
  "Answers that set a cookie are kept and given to everybody.",
  ({ levels }) => {
    const seen = new Set<string>();
    return levels.flatMap((level) => {
      const found = look(level);
      const at = JSON.stringify(found?.places);
      if (found === undefined || seen.has(at)) return [];
      seen.add(at);
      return [found];
    });
  },
);

function look(level: Level): Found | undefined {
  if (contentOf(level) !== "proxy") return undefined;
  const conf = level.scope.conf(proxy);
  if (conf.proxy_cache === "off" || !conf.proxy_ignore_headers.has("Set-Cookie")) return undefined;
  if (conf.proxy_hide_header.some((name) => name.toLowerCase() === "set-cookie")) return undefined;
  const parts = conf.proxy_cache_key?.parts ?? [];
  if (parts.some((part) => typeof part !== "string" && part.kind === "variable" && OF_CLIENT.test(part.name)))
    return undefined;
  return {
    severity: "error",
    title: "Cookies that are meant for one client are kept and given to all",
    why: "Set-Cookie keeps an answer out of the cache, unless it is ignored as here. The line itself goes along into the cache: whoever comes next gets the session of the one who came first.",
    fix: "proxy_hide_header Set-Cookie; beside it, or no Set-Cookie in proxy_ignore_headers",
    places: holding(level, "proxy_ignore_headers").slice(0, 1).map(placeOf),
  };
}
