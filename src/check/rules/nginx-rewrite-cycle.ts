/** A `rewrite … last` whose result is rewritten again. */
import { rewrite } from "../../http/modules/rewrite.ts";
import type { Found } from "../finding.ts";
import { findLocation } from "../nginx/lookup.ts";
import { headerOfLevel, type Level, type Line, labelOf, linesOf, placeOf, serverOf } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";
import { exampleOf } from "../regex/example.ts";
import { parseExpression } from "../regex/syntax.ts";

/** After so many nginx gives up: NGX_HTTP_MAX_URI_CHANGES. */
const MAX_CHANGES = 10;

type Rewrite = Line<NonNullable<ReturnType<typeof linesOf<typeof rewrite.directives, "rewrite">>[number]>["value"]>;

export const nginxRewriteCycle = siteRule(
  "nginx-rewrite-cycle",
  "A rewrite leads back to its own location and matches again.",
  ({ levels }) =>
    levels
      // Where an if may end the program first, nothing is said.
      .filter(({ context, inner }) => context === "location" && !inner.some((level) => /^if/.test(level.context)))
      .flatMap((level) => linesOf(level, rewrite, "rewrite").flatMap((line) => look(level, line))),
);

function look(level: Level, line: Rewrite): readonly Found[] {
  const server = serverOf(level);
  const { flag } = line.value;
  const isLast = flag === "last" || (flag === "none" && level.directives.at(-1) === line.directive);
  if (server === undefined || !isLast) return [];
  const start = startOf(server, level, line);
  if (start === undefined) return [];
  const path = [start];
  for (let at = start; path.length <= MAX_CHANGES; path.push(at)) {
    const next = apply(line, at);
    if (next === undefined || findLocation(server, next) !== level) return [];
    at = next;
  }
  return [
    {
      severity: "error",
      title: `A rewrite of ${labelOf(level)} goes round in circles`,
      why: `${path.slice(0, 3).join(" → ")} → …: the result comes to the same location and is rewritten again. After ten rounds the answer is 500.`,
      fix: "break instead of last, or an expression that the result does not match",
      places: [placeOf(line.directive)],
    },
  ];
}

/** A path that comes to the location and that the expression matches. */
function startOf(server: Level, level: Level, { value }: Rewrite): string | undefined {
  const expression = parseExpression(value.pattern.regexp);
  const example = expression === undefined ? "" : exampleOf(expression.root);
  const header = headerOfLevel(level);
  const name = header?.pattern === undefined ? (header?.name ?? "/") : "/";
  return [example, `/${example}`, name, `${name}a`, `${name}${example}`].find(
    (path) => path.startsWith("/") && value.pattern.regexp.test(path) && findLocation(server, path) === level,
  );
}

/** The path that a rewrite makes of this one; undefined when it does not match, or when other variables decide. */
function apply({ value }: Rewrite, path: string): string | undefined {
  const match = value.pattern.regexp.exec(path);
  if (match === null) return undefined;
  let result = "";
  for (const part of value.replacement.parts) {
    if (typeof part === "string") result += part;
    else if (part.kind === "capture") result += match[part.index] ?? "";
    else if (part.name === "uri") result += path;
    else if (value.pattern.names.includes(part.name)) result += match[value.pattern.names.indexOf(part.name) + 1] ?? "";
    else if (!result.includes("?")) return undefined;
  }
  return result.split("?", 1)[0];
}
