/** Expressions without `^` or `$` that were meant to have one. */
import type { Found } from "../finding.ts";
import { type PatternUse, subjectKind } from "../nginx/patterns.ts";
import { contentOf, placeOf } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";
import { valuesOf } from "../nginx/values.ts";
import { exampleOf } from "../regex/example.ts";
import { isAnchored, type Node } from "../regex/syntax.ts";

export const nginxRegexUnanchored = siteRule(
  "nginx-regex-unanchored",
  "An expression matches in the middle of a path or name, where its beginning or end was meant.",
  (site) =>
    valuesOf(site).patterns.flatMap((use) => {
      const { expression, kind } = use;
      if (expression === undefined) return [];
      if (kind === "server_name" || (kind === "if" && subjectKind(use.subject) === "host"))
        return host(use, expression.root);
      return kind === "location" ? path(use, expression.root) : [];
    }),
);

/** `example\.com$` also matches evilexample.com, `^www\.example\.com` also www.example.com.evil. */
function host({ source, regexp, directive }: PatternUse, root: Node): readonly Found[] {
  const example = exampleOf(root);
  const others: string[] = [];
  if (!isAnchored(root, "start") && /^\w/.test(example)) others.push(`evil${example}`);
  if (!isAnchored(root, "end") && /\.\w+$/.test(example)) others.push(`${example}.evil.example`);
  const matched = others.filter((text) => regexp.test(text));
  if (matched.length === 0) return [];
  return [
    {
      severity: "warning",
      title: `The expression ${source} matches more hosts than it seems`,
      why: `It also matches ${matched.join(" and ")}.`,
      fix: "^ in front and $ behind",
      places: [placeOf(directive)],
    },
  ];
}

function path({ source, regexp, directive, level }: PatternUse, root: Node): readonly Found[] {
  const example = exampleOf(root);
  const isProxy = contentOf(level) === "proxy";
  if (!isAnchored(root, "end") && /\.[a-z]\w+$/i.test(example) && /(^|[^/])\\\.(\w+|\((\?:)?[\w|]+\))$/.test(source)) {
    const other = `${example}.txt`;
    if (!regexp.test(other)) return [];
    return [
      {
        severity: isProxy ? "warning" : "info",
        title: `The expression ${source} does not end where the path ends`,
        why: `It also matches ${other.startsWith("/") ? other : `/a${other}`}${isProxy ? ": a file that somebody has uploaded under such a name is given to the program behind" : ""}.`,
        fix: "$ behind it",
        places: [placeOf(directive)],
      },
    ];
  }
  const isRooted = /^\(?\/\w/.test(source) && !isAnchored(root, "start");
  if (!isRooted || !regexp.test(`/other${example}`)) return [];
  return [
    {
      severity: "info",
      title: `The expression ${source} does not begin where the path begins`,
      why: `It also matches /other${example}.`,
      fix: "^ in front",
      places: [placeOf(directive)],
    },
  ];
}
