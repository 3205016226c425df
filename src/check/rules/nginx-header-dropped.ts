/** An inner `add_header` hides all outer ones. */
import { headers } from "../../http/modules/headers.ts";
import type { Found } from "../finding.ts";
import { type Level, labelOf, linesOf, placeOf } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";

/** Fields that protect; losing one of them is more than a blemish. */
const PROTECTING =
  /^(strict-transport-security|content-security-policy|x-frame-options|x-content-type-options|referrer-policy|permissions-policy|cross-origin-.*)$/i;

export const nginxHeaderDropped = siteRule(
  "nginx-header-dropped",
  "An add_header of an inner level takes the outer ones away.",
  ({ levels }) => levels.flatMap(look),
);

function look(level: Level): readonly Found[] {
  const own = linesOf(level, headers, "add_header");
  const { outer, scope } = level;
  if (own.length === 0 || outer === undefined || scope.own(headers).add_header_inherit === "off") return [];
  const kept = new Set(scope.conf(headers).add_header.map(({ name }) => name.toLowerCase()));
  const lost = outer.scope.conf(headers).add_header.filter(({ name }) => !kept.has(name.toLowerCase()));
  if (lost.length === 0) return [];
  const names = [...new Set(lost.map(({ name }) => name))];
  const origin = outer.scope.origin(headers, "add_header")?.directives ?? [];
  const [first] = own;
  return [
    {
      severity: names.some((name) => PROTECTING.test(name)) ? "warning" : "info",
      title: `${labelOf(level)} does not send ${names.join(", ")}`,
      why: "The add_header lines of an outer level hold only where no inner one stands: one line here, and all of those are gone.",
      fix: "repeat them here (include one file with them in both places), or add_header_inherit merge; (nginx 1.29.3 and later)",
      places: [
        ...(first === undefined ? [] : [placeOf(first.directive)]),
        ...origin.filter(({ args }) => names.includes(args[0]?.text ?? "")).map(placeOf),
      ],
    },
  ];
}
