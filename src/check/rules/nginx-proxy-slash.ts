/** Slashes of a location and of its `proxy_pass` that do not fit. */
import type { Found } from "../finding.ts";
import { headerOfLevel, placeOf, placeOfLevel } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";
import { type Pass, passesOf, pathOf } from "../nginx/urls.ts";

export const nginxProxySlash = siteRule(
  "nginx-proxy-slash",
  "location and proxy_pass do not both end with a slash, so that paths are joined wrongly.",
  (site) => passesOf(site).flatMap(look),
);

function look({ level, directive, url, hasVariables }: Pass): readonly Found[] {
  const header = headerOfLevel(level);
  const uri = pathOf(url.text);
  if (hasVariables || uri === undefined || uri.includes("?")) return [];
  if (header?.kind !== "prefix" && header?.kind !== "noRegex") return [];
  const { name } = header;
  const [ends, begins] = [name.endsWith("/"), uri.endsWith("/")];
  if (ends === begins || (!ends && begins && uri.length > 1 && name === "")) return [];
  return [
    {
      severity: "warning",
      title: `A request for ${name}${ends ? "" : "/"}x is passed on as ${uri}${ends ? "" : "/"}x`,
      why: `proxy_pass with a path puts it in the place of the location's name, letter for letter: ${ends ? "the slash of the name is gone and none takes its place" : "the slash behind the name stays, and comes behind that of proxy_pass"}.`,
      fix: ends ? `proxy_pass ${url.text}/;` : `location ${name}/ { proxy_pass ${url.text}; }`,
      places: [placeOfLevel(level), placeOf(directive)],
    },
  ];
}
