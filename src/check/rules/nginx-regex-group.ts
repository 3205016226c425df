/** `$2` where the expression has one pair of parentheses. */

import type { Template } from "../../conf/template.ts";
import { rewrite } from "../../http/modules/rewrite.ts";
import { linesOf, placeOf } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";
import { parseExpression } from "../regex/syntax.ts";

export const nginxRegexGroup = siteRule(
  "nginx-regex-group",
  "A rewrite uses a capture that its expression does not have.",
  ({ levels }) =>
    levels.flatMap((level) =>
      linesOf(level, rewrite, "rewrite").flatMap(({ value, directive }) => {
        const expression = parseExpression(value.pattern.regexp);
        const highest = highestCapture(value.replacement);
        if (expression === undefined || highest <= expression.groupCount) return [];
        return [
          {
            severity: "warning" as const,
            title: `$${highest} is always empty: ${value.source} has ${expression.groupCount === 0 ? "no" : `only ${expression.groupCount}`} capture${expression.groupCount === 1 ? "" : "s"}`,
            why: "A capture that the expression does not have is an empty text, in the target and wherever it is used later.",
            fix: "parentheses around what it shall hold",
            places: [placeOf(directive)],
          },
        ];
      }),
    ),
);

function highestCapture({ parts }: Template): number {
  return Math.max(0, ...parts.map((part) => (typeof part !== "string" && part.kind === "capture" ? part.index : 0)));
}
