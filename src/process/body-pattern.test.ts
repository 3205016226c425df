import assert from "node:assert/strict";
import { test } from "node:test";
import type { CheckedRegex } from "../conf/keepalived/lvs/config.ts";
import { compileBodyPattern } from "./body-pattern.ts";

function matches(pattern: string, body: string, more: Partial<CheckedRegex> = {}): boolean {
  const compiled = compileBodyPattern({
    pattern,
    options: [],
    minOffset: 0,
    maxOffset: undefined,
    mustNotMatch: false,
    ...more,
  });
  assert.ok(compiled.ok, compiled.ok ? "" : compiled.reason);
  return compiled.value(Uint8Array.from(Buffer.from(body, "latin1")));
}

test("a pattern is looked for in bytes, with what its options say", () => {
  assert.ok(matches("o+k", "it is ook"));
  assert.ok(!matches("o+k", "it is OOK"));
  assert.ok(matches("o+k", "it is OOK", { options: ["caseless"] }));
  assert.ok(!matches("^b", "a\nb"));
  assert.ok(matches("^b", "a\nb", { options: ["multiline"] }));
  assert.ok(!matches("a.b", "a\nb"));
  assert.ok(matches("a.b", "a\nb", { options: ["dotall"] }));
  assert.ok(matches("\\xff", "\xff"), "bytes, not characters");
  assert.ok(matches("a", "a", { options: ["no_auto_possess", "never_utf"] }), "nothing that matches otherwise");
});

test("lines end with a line feed, and the last one may", () => {
  assert.ok(matches("^OK$", "OK\n"));
  assert.ok(!matches("^OK$", "OK\n\n"));
  assert.ok(!matches("^OK$", "OK\r\n"));
  assert.ok(!matches("^OK$", "a\nOK\nb"));
  assert.ok(matches("^OK$", "a\nOK\nb", { options: ["multiline"] }));
  assert.ok(!matches("^b", "a\rb", { options: ["multiline"] }));
  assert.ok(!matches("\\n^$", "a\n", { options: ["multiline"] }));
  assert.ok(matches("\\AOK\\Z", "OK\n"));
  assert.ok(!matches("\\AOK\\z", "OK\n"));
  assert.ok(matches("(?m)^b$", "a\nb\n"));
});

test("a match begins between two places", () => {
  assert.ok(matches("ok", "0123ok", { minOffset: 4 }));
  assert.ok(!matches("ok", "0123ok", { minOffset: 5 }));
  assert.ok(matches("ok", "0123ok", { maxOffset: 4 }));
  assert.ok(!matches("ok", "0123ok", { maxOffset: 3 }));
});

test("what RegExp has no equal for is refused by name", () => {
  const refused = (more: Partial<CheckedRegex>): string => {
    const regex = { pattern: "a", options: [], minOffset: 0, maxOffset: undefined, mustNotMatch: false };
    const compiled = compileBodyPattern({ ...regex, ...more });
    return compiled.ok ? assert.fail() : compiled.reason;
  };
  assert.equal(refused({ options: ["extended"] }), "regex_options extended");
  assert.equal(refused({ options: ["ungreedy"] }), "regex_options ungreedy");
  assert.notEqual(refused({ pattern: "(" }), "");
});
