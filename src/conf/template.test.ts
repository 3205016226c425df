import assert from "node:assert/strict";
import { test } from "node:test";
import { constantOf, literal, parseTemplate, type TemplatePart } from "./template.ts";

function parts(text: string): readonly TemplatePart[] | string {
  const parsed = parseTemplate(text);
  return parsed.ok ? parsed.value.parts : parsed.reason;
}
const variable = (name: string): TemplatePart => ({ kind: "variable", name });
const capture = (index: number): TemplatePart => ({ kind: "capture", index });

test("texts are split at variables and captures", () => {
  assert.deepEqual(parts(""), []);
  assert.deepEqual(parts("plain"), ["plain"]);
  assert.deepEqual(parts("$a"), [variable("a")]);
  assert.deepEqual(parts("x$a-${b}c$Host"), ["x", variable("a"), "-", variable("b"), "c", variable("host")]);
  assert.deepEqual(parts("$1$23$0"), [capture(1), capture(2), "3", variable("0")]);
  assert.deepEqual(parts("${1}"), [variable("1")]);
});

test("malformed references are refused in nginx's words", () => {
  for (const text of ["$", "a$", "$-", "${", "${}", "$$a", "a $"])
    assert.equal(parts(text), "invalid variable name", text);
  assert.equal(parts("${a"), 'the closing bracket in "a" variable is missing');
  assert.equal(parts("${a-b}"), 'the closing bracket in "a" variable is missing');
  assert.equal(parts("${-}"), 'the closing bracket in "" variable is missing');
});

test("a constant is known as such", () => {
  for (const [text, constant] of [
    ["", ""],
    ["a b", "a b"],
    ["$a", undefined],
    ["a$a", undefined],
  ] as const) {
    const parsed = parseTemplate(text);
    assert.ok(parsed.ok);
    assert.equal(constantOf(parsed.value), constant);
  }
  assert.equal(constantOf(literal("$1")), "$1");
  assert.equal(constantOf(literal("")), "");
});
