import assert from "node:assert/strict";
import { test } from "node:test";
import { parseExpression, splitValue, unquote } from "./expression.ts";

function parts(text: string): unknown {
  const split = splitValue(text);
  return split.ok ? split.value.map((part) => (typeof part === "string" ? part : `$${part.variable}`)) : split.reason;
}

test("backslashes quote backslashes, quotes and dollars only", () => {
  assert.equal(unquote("plain"), "plain");
  assert.equal(unquote("\\\\ \\' \\\" \\$ \\a \\\n \\"), "\\ ' \" $ \\a \\\n ");
});

test("values have variables in them", () => {
  assert.deepEqual(parts(""), []);
  assert.deepEqual(parts("a\\b"), ["a\\b"]);
  assert.deepEqual(parts("$a"), ["$a"]);
  assert.deepEqual(parts("x$A_1-${b}c$1"), ["x", "$A_1", "-", "$b", "c", "$1"]);
  assert.deepEqual(parts("\\$a$b\\\\$c\\"), ["$a", "$b", "\\", "$c", ""], "what is quoted is none");
});

test("what can't be a variable is told in nginx's words", () => {
  assert.equal(parts("a$"), 'invalid variable name in "a$"');
  assert.equal(parts("a$-"), 'invalid variable name in "a$-"');
  assert.equal(parts("a${"), 'invalid variable name in "a${"');
  assert.equal(parts("a${}"), 'invalid variable name in "a${}"');
  assert.equal(parts("a${b"), 'the closing bracket in "b" variable is missing');
  assert.equal(parts("a${b-}"), 'the closing bracket in "b" variable is missing');
  assert.equal(parts("a${-}"), 'the closing bracket in "" variable is missing');
});

test("an expression is one side, or two that are compared", () => {
  const compared = (text: string): unknown => {
    const { left, comparison } = parseExpression(text);
    if (comparison === undefined) return [left];
    if (!comparison.ok) return comparison.reason;
    const { right, isNegated, isPattern } = comparison.value;
    return [left, isNegated ? "!=" : "=", isPattern ? `/${right}/` : right];
  };
  assert.deepEqual(compared(""), [""]);
  assert.deepEqual(compared("$ARG_a  "), ["$arg_a"]);
  assert.deepEqual(compared("$a = B"), ["$a", "=", "B"]);
  assert.deepEqual(compared("${A}b='c' "), ["${a}b", "=", "'c' "]);
  assert.deepEqual(compared("a !=  b c"), ["a", "!=", "b c"]);
  assert.deepEqual(compared("a = /b/"), ["a", "=", "/b/"]);
  assert.deepEqual(compared("a != //"), ["a", "!=", "//"]);
  assert.deepEqual(compared("a = /"), ["a", "=", "/"]);
  assert.deepEqual(compared("a = \\/b"), ["a", "=", "/b"]);
  assert.deepEqual(compared("= a"), ["", "=", "a"]);
  assert.deepEqual(compared("a ="), ["a", "=", ""]);
  assert.deepEqual(compared("Ab-C"), 'invalid expression in "ab-C"');
  assert.deepEqual(compared("A ! b"), 'invalid expression in "a ! b"');
  assert.deepEqual(compared("a = /b"), 'invalid expression in "a = /b"');
  assert.deepEqual(compared("a = /b/ "), 'invalid expression in "a = /b/ "');
});
