/** Upstreams that nothing is passed to. */
import { placeOfLevel, type Site } from "../nginx/site.ts";
import { absenceRule } from "../nginx/site-rule.ts";
import { hostName, passesOf } from "../nginx/urls.ts";
import { valuesOf } from "../nginx/values.ts";

export const nginxUpstreamUnused = absenceRule(
  "nginx-upstream-unused",
  "No request is ever passed to an upstream.",
  (site) => {
    const used = usedNames(site);
    if (used === undefined) return [];
    return site.levels
      .filter(({ context }) => context === "upstream")
      .filter(({ opener }) => !used.has((opener?.args[0]?.text ?? "").toLowerCase()))
      .map((level) => ({
        severity: "info" as const,
        title: `Nothing is passed to upstream ${level.opener?.args[0]?.text}`,
        why: "No proxy_pass (or the like) names it: it is left from before, or one of them has a misspelt name.",
        fix: "remove it, or name it",
        places: [placeOfLevel(level)],
      }));
  },
);

/** Every host that something is passed to; undefined when a variable may be any. */
function usedNames(site: Site): ReadonlySet<string> | undefined {
  const values = valuesOf(site);
  const used = new Set<string>();
  for (const { url, hasVariables } of passesOf(site)) {
    const texts = hasVariables ? values.textsOf(url) : [url.text];
    if (texts === undefined) return undefined;
    for (const text of texts) used.add(hostName(text.replace(/^\w+:\/\//, "").replace(/[/?].*$/s, "")));
  }
  for (const { directives } of site.levels)
    for (const { name, args } of directives)
      if (/_pass$/.test(name) && name !== "proxy_pass") {
        const text = args[0]?.text ?? "";
        if (text.includes("$")) return undefined;
        used.add(hostName(text.replace(/^\w+:\/\//, "").replace(/\/.*$/, "")));
      }
  return used;
}
