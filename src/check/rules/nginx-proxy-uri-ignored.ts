/** A path in `proxy_pass` that does not do what it does elsewhere. */
import { rewrite } from "../../http/modules/rewrite.ts";
import type { Found } from "../finding.ts";
import { headerOfLevel, linesOf, locationOf, placeOf } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";
import { type Pass, passesOf, pathOf, splitUrl } from "../nginx/urls.ts";

export const nginxProxyUriIgnored = siteRule(
  "nginx-proxy-uri-ignored",
  "The path of a proxy_pass is the same for all requests, or is not used at all.",
  (site) => passesOf(site).flatMap((pass) => [...constant(pass), ...rewritten(pass)]),
);

/** With a variable anywhere in it, the URL is all: nothing of the request's path is put behind. */
function constant({ level, directive, url, hasVariables }: Pass): readonly Found[] {
  const { path } = splitUrl(url);
  const [only] = path;
  const header = headerOfLevel(locationOf(level) ?? level);
  if (!hasVariables || path.length !== 1 || typeof only !== "string" || header?.kind === "exact") return [];
  if (header?.kind === "named") return [];
  return [
    {
      severity: "warning",
      title: `Every request of location ${header?.name ?? ""} is passed on as ${only}`,
      why: "With a variable in it, proxy_pass is the whole URL: the path of the request is not put behind it, as it is without variables.",
      fix:
        only === "/"
          ? "leave the slash away: without any path the request's own is passed on"
          : `${only}$request_uri, or a capture of the location`,
      places: [placeOf(directive)],
    },
  ];
}

/** After a rewrite the path of `proxy_pass` is not used. */
function rewritten({ level, directive, url, hasVariables }: Pass): readonly Found[] {
  const uri = pathOf(url.text);
  const breaks = linesOf(level, rewrite, "rewrite").filter(({ value }) => value.flag === "break");
  if (hasVariables || uri === undefined || breaks.length === 0) return [];
  return [
    {
      severity: "warning",
      title: `${uri} of proxy_pass is not used for requests that were rewritten`,
      why: "When a rewrite has changed the path, the whole new path is passed on; the one in proxy_pass is left out.",
      fix: `put it into the rewrite, and proxy_pass ${url.text.slice(0, url.text.length - uri.length)}; without a path`,
      places: [placeOf(directive), ...breaks.map((line) => placeOf(line.directive))],
    },
  ];
}
