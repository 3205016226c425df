/** A dot that was meant as one. */
import { type PatternUse, subjectKind } from "../nginx/patterns.ts";
import { placeOf } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";
import { valuesOf } from "../nginx/values.ts";
import { exampleOf } from "../regex/example.ts";
import { DIGITS, LOWER, type Node, UPPER, walkNodes } from "../regex/syntax.ts";

export const nginxRegexDot = siteRule(
  "nginx-regex-dot",
  "A dot in an expression stands for any character where a dot was meant.",
  (site) =>
    valuesOf(site)
      .patterns.filter(({ expression }) => expression !== undefined && hasBareDot(expression.root))
      .flatMap((use) => {
        const kind = subjectKind(use.subject);
        // Media types and names of browsers are no secrets; of origins another rule says more.
        if (kind !== "path" && kind !== "host" && kind !== "request_uri") return [];
        return [finding(use, kind === "host")];
      }),
);

function finding({ source, expression, directive, regexp }: PatternUse, isHost: boolean) {
  const other = exampleOf((expression as NonNullable<PatternUse["expression"]>).root, "x");
  return {
    severity: isHost ? ("warning" as const) : ("info" as const),
    title: `The dot in ${source} stands for any character`,
    why: `${regexp.test(other) && other.length > 1 ? `It also matches ${other}.` : "Another character in its place matches as well."}${isHost ? " Somebody else can have a host of that name." : ""}`,
    fix: "\\. for a dot",
    places: [placeOf(directive)],
  };
}

const LETTERS = LOWER | UPPER | DIGITS;

/** A letter or digit that is written as such. */
function isLetter(node: Node | undefined): boolean {
  if (node?.kind !== "set" || node.isDot || (node.set & ~LETTERS) !== 0n) return false;
  const rest = node.set & (node.set - 1n);
  return (rest & (rest - 1n)) === 0n;
}

/** Words to choose from: `(php|html)`. */
function isWords(node: Node | undefined): boolean {
  if (node?.kind === "group") return isWords(node.node);
  if (node?.kind === "choice") return node.options.every(isWords);
  if (node?.kind === "sequence") return node.parts.length > 0 && node.parts.every(isLetter);
  return isLetter(node);
}

/** `www.example`, or `.php` at the end. */
function hasBareDot(root: Node): boolean {
  for (const node of walkNodes(root)) {
    if (node.kind !== "sequence") continue;
    const { parts } = node;
    for (let i = 0; i + 1 < parts.length; i++) {
      const part = parts[i] as Node;
      if (part.kind !== "set" || !part.isDot) continue;
      const next = parts[i + 1];
      if (isLetter(parts[i - 1]) && (isLetter(next) || isWords(next))) return true;
      const rest = parts.slice(i + 1);
      const words = rest.filter(({ kind }) => kind !== "end");
      if (rest.at(-1)?.kind === "end" && words.length > 0 && words.every(isWords)) return true;
    }
  }
  return false;
}
