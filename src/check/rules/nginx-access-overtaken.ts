/** A guarded prefix that an expression takes requests from. */
import type { Found } from "../finding.ts";
import { isGuarded, ownGuards } from "../nginx/access.ts";
import { locationsOf } from "../nginx/lookup.ts";
import { pathsOf } from "../nginx/patterns.ts";
import { headerOfLevel, type Level, labelOf, placeOf, placeOfLevel } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";
import { type Values, valuesOf } from "../nginx/values.ts";
import { overlap, prefixAutomaton } from "../regex/language.ts";

export const nginxAccessOvertaken = siteRule(
  "nginx-access-overtaken",
  "Paths of a location with access control are served by another one, whose expression matches them.",
  (site) => {
    const values = valuesOf(site);
    return site.levels
      .filter(({ context }) => context === "server" || context === "location")
      .flatMap((level) => look(level, values));
  },
);

function look(outer: Level, values: Values): readonly Found[] {
  const locations = locationsOf(outer);
  const open = locations.filter((level) => headerOfLevel(level)?.kind === "regex" && !isGuarded(level));
  return locations.flatMap((level): readonly Found[] => {
    const header = headerOfLevel(level);
    const guards = ownGuards(level);
    if (header?.kind !== "prefix" || guards.length === 0 || header.name === "/") return [];
    const prefix = prefixAutomaton(header.name, false);
    const takers = open.filter((other) => {
      const use = values.opening(other);
      return use?.automaton !== undefined && overlap(prefix, use.automaton, pathsOf(outer)) === true;
    });
    const [taker] = takers;
    if (taker === undefined) return [];
    return [
      {
        severity: "warning",
        title: `${labelOf(taker)} also serves paths of ${labelOf(level)}, without ${[...new Set(guards.map(({ name }) => name))].join(", ")}`,
        why: "An expression that matches wins against a prefix, and only the location that wins is asked who may come in.",
        fix: `location ^~ ${header.name}, which no expression takes anything from`,
        places: [placeOfLevel(level), ...guards.map(placeOf), ...takers.map(placeOfLevel)],
      },
    ];
  });
}
