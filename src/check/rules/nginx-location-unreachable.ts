/** Locations that an earlier expression takes all requests from. */
import type { Found } from "../finding.ts";
import { locationsOf } from "../nginx/lookup.ts";
import { type PatternUse, pathsOf } from "../nginx/patterns.ts";
import { headerOfLevel, type Level, labelOf, placeOfLevel, type Site } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";
import { type Values, valuesOf } from "../nginx/values.ts";
import { exampleOf } from "../regex/example.ts";
import { isWithin, prefixAutomaton } from "../regex/language.ts";

export const nginxLocationUnreachable = siteRule(
  "nginx-location-unreachable",
  "A location is never reached, because an expression matches all of its paths.",
  (site: Site) => {
    const values = valuesOf(site);
    return site.levels
      .filter(({ context }) => context === "server" || context === "location")
      .flatMap((level) => look(level, values));
  },
);

function look(outer: Level, values: Values): readonly Found[] {
  const locations = locationsOf(outer);
  const patterns = locations.flatMap((level) => values.opening(level) ?? []);
  const found: Found[] = [];
  for (const level of locations) {
    const header = headerOfLevel(level);
    const own = patterns.findIndex((use) => use.level === level);
    const taker =
      header?.kind === "regex"
        ? patterns.slice(0, Math.max(0, own)).find((use) => takesPattern(use, patterns[own]))
        : header?.kind === "prefix" && locationsOf(level).length === 0
          ? patterns.find((use) => takesPrefix(use, header.name, outer))
          : undefined;
    if (taker === undefined) continue;
    found.push({
      severity: "warning",
      title: `${labelOf(level)} is never reached`,
      why: `The expression ${taker.source} matches all of its paths and is asked first: ${header?.kind === "regex" ? "of expressions the first one in the file wins" : "an expression wins against a prefix"}.`,
      fix:
        header?.kind === "regex"
          ? "put it in front of the other"
          : `location ^~ ${header?.name}, which no expression takes anything from`,
      places: [placeOfLevel(level), placeOfLevel(taker.level)],
    });
  }
  return found;
}

function takesPattern(taker: PatternUse, own: PatternUse | undefined): boolean {
  if (own?.automaton === undefined || own.expression === undefined || taker.automaton === undefined) return false;
  // Quick: what does not match one example does not match all.
  const example = exampleOf(own.expression.root);
  const path = example.startsWith("/") ? example : `/${example}`;
  if (own.regexp.test(path) && !taker.regexp.test(path)) return false;
  return isWithin(own.automaton, taker.automaton, pathsOf(own.level)) === true;
}

function takesPrefix(taker: PatternUse, name: string, outer: Level): boolean {
  if (taker.automaton === undefined || !taker.regexp.test(name) || !taker.regexp.test(`${name}~`)) return false;
  return isWithin(prefixAutomaton(name, false), taker.automaton, pathsOf(outer)) === true;
}
