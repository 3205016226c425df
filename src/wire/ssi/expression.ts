/**
 * Values of commands of server side includes: variables and escapes in them, and the expression of `if`. Counterpart in nginx:
 * ngx_http_ssi_evaluate_string, ngx_http_ssi_if.
 */
import { type Decoded, decoded, malformed } from "../../base/decoded.ts";

const QUOTABLE = "\\'\"$";

/** Takes the backslashes away that quote a backslash, a quote or a dollar; others stay. One at the end is lost. */
export function unquote(text: string): string {
  if (!text.includes("\\")) return text;
  return text.replace(/\\(.)?/gs, (_, next: string | undefined) => {
    if (next === undefined) return "";
    return QUOTABLE.includes(next) ? next : `\\${next}`;
  });
}

/** A part of a value: text as it is, or a variable's name as it was written. */
export type ValuePart = string | { readonly variable: string };

const DOLLAR = "$";
const NAME = /[A-Za-z0-9_]*/y;

/** Where the next dollar is that is not quoted. */
function literalEnd(text: string, start: number): number {
  let at = start;
  while (at < text.length && text[at] !== DOLLAR) at += text[at] === "\\" ? 2 : 1;
  return Math.min(at, text.length);
}

/** Splits a value into its parts; the reason of a failure is nginx's message. */
export function splitValue(text: string): Decoded<readonly ValuePart[]> {
  if (!text.includes(DOLLAR)) return decoded(text === "" ? [] : [unquote(text)]);
  const parts: ValuePart[] = [];
  let at = 0;
  while (at < text.length) {
    if (text[at] !== DOLLAR) {
      const end = literalEnd(text, at);
      parts.push(unquote(text.slice(at, end)));
      at = end;
      continue;
    }
    const isBraced = text[at + 1] === "{";
    NAME.lastIndex = at + (isBraced ? 2 : 1);
    const variable = (NAME.exec(text) as RegExpExecArray)[0];
    const end = at + (isBraced ? 2 : 1) + variable.length;
    const isAtEnd = variable === "" && end === text.length;
    if (isBraced && text[end] !== "}" && !isAtEnd) {
      return malformed(`the closing bracket in "${variable}" variable is missing`);
    }
    if (variable === "") return malformed(`invalid variable name in "${text}"`);
    parts.push({ variable });
    at = isBraced ? end + 1 : end;
  }
  return decoded(parts);
}

/** What the left side is compared with: a text, or a pattern, which stood between slashes. */
export interface Comparison {
  readonly right: string;
  readonly isNegated: boolean;
  readonly isPattern: boolean;
}

/** `left`, `left = right` or `left != right`. */
export interface Expression {
  /** In lower case. */
  readonly left: string;
  /** Undefined when there is none; the reason of a failure is nginx's message. */
  readonly comparison: Decoded<Comparison> | undefined;
}

const LEFT = /^[A-Za-z0-9${}_"']*/;
const RIGHT = /^(!?=) *(.*)$/s;

/** Reads the expression of `if` and `elif`. */
export function parseExpression(text: string): Expression {
  const left = (LEFT.exec(text)?.[0] ?? "").toLowerCase();
  const behind = text.slice(left.length);
  const rest = behind.replace(/^ */, "");
  if (rest === "") return { left, comparison: undefined };
  // nginx lowers the case where it reads, and shows it so.
  return { left, comparison: parseComparison(rest) ?? malformed(`invalid expression in "${left}${behind}"`) };
}

function parseComparison(text: string): Decoded<Comparison> | undefined {
  const match = RIGHT.exec(text);
  if (match === null) return undefined;
  const isNegated = match[1] === "!=";
  const right = match[2] as string;
  if (right.length > 1 && right.startsWith("/")) {
    return right.endsWith("/") ? decoded({ right: right.slice(1, -1), isNegated, isPattern: true }) : undefined;
  }
  return decoded({ right: right.startsWith("\\/") ? right.slice(1) : right, isNegated, isPattern: false });
}
