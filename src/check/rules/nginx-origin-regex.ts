/** Expressions about `Origin` and `Referer` that strangers' names match. */
import { type PatternUse, subjectKind } from "../nginx/patterns.ts";
import { placeOf } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";
import { valuesOf } from "../nginx/values.ts";
import { exampleOf } from "../regex/example.ts";

export const nginxOriginRegex = siteRule(
  "nginx-origin-regex",
  "An expression for Origin or Referer also matches the names of strangers.",
  (site) => valuesOf(site).patterns.flatMap(look),
);

function look({ expression, subject, source, regexp, directive }: PatternUse) {
  const kind = subjectKind(subject);
  if (expression === undefined || (kind !== "http_origin" && kind !== "http_referer")) return [];
  const example = exampleOf(expression.root);
  // Only expressions about names of hosts are about who may ask.
  if (!/\w[.x]\w/.test(example)) return [];
  const dotted = exampleOf(expression.root, "x");
  const strangers = [
    `${example}.evil.example`,
    `https://evil.example/${example}`,
    `https://evil${example.replace(/^https?:\/\/\.?/, "")}`,
    ...(dotted === example ? [] : [dotted]),
  ].filter(
    (text) => regexp.test(text) && !(kind === "http_referer" && text.startsWith(`${example}.`) && /\/$/.test(example)),
  );
  const [first] = strangers;
  if (first === undefined) return [];
  return [
    {
      severity: "warning" as const,
      title: `The expression ${source} lets strangers in`,
      why: `${kind === "http_origin" ? "Origin" : "Referer"} ${first} matches, and anybody can have a page there.`,
      fix: "^https://([a-z0-9-]+\\.)?example\\.com$ (for Referer with / instead of $): both ends, and \\. for each dot",
      places: [placeOf(directive)],
    },
  ];
}
