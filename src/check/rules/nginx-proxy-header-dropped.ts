/** An inner `proxy_set_header` hides all outer ones. */
import { proxy } from "../../http/modules/proxy.ts";
import type { Found } from "../finding.ts";
import { isInternal } from "../nginx/access.ts";
import { has, type Level, labelOf, linesOf, placeOf, within } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";

export const nginxProxyHeaderDropped = siteRule(
  "nginx-proxy-header-dropped",
  "A proxy_set_header of an inner level takes the outer ones away.",
  ({ levels }) => levels.flatMap(look),
);

function look(level: Level): readonly Found[] {
  const own = linesOf(level, proxy, "proxy_set_header");
  const { outer } = level;
  // Subrequests are told what they need to know.
  if (own.length === 0 || outer === undefined || !isPassed(level) || isInternal(level)) return [];
  const kept = new Set(own.map(({ value }) => value.name.toLowerCase()));
  const lost = outer.scope.conf(proxy).proxy_set_header.filter(({ name }) => !kept.has(name.toLowerCase()));
  if (lost.length === 0) return [];
  const names = [...new Set(lost.map(({ name }) => name))];
  const origin = outer.scope.origin(proxy, "proxy_set_header")?.directives ?? [];
  const [first] = own;
  return [
    {
      severity: "warning",
      title: `In ${labelOf(level)} the outer proxy_set_header lines no longer hold: ${names.join(", ")}`,
      why: "They hold only where no inner one stands. Without Host the back end is told the name of the upstream, without X-Forwarded-For it takes the proxy for the client; a field that was emptied comes from the client again.",
      fix: "repeat them here, or include one file with all of them wherever one is added",
      places: [
        ...(first === undefined ? [] : [placeOf(first.directive)]),
        ...origin.filter(({ args }) => names.includes(args[0]?.text ?? "")).map(placeOf),
      ],
    },
  ];
}

function isPassed(level: Level): boolean {
  return (
    within(level).some((inner) => has(inner, "proxy_pass")) ||
    (level.context === "if in location" && has(level.outer as Level, "proxy_pass"))
  );
}
