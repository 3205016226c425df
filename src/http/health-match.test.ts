import assert from "node:assert/strict";
import { test } from "node:test";
import { fromLatin1 } from "../base/bytes.ts";
import { HEAD_COMPLETE, ResponseHead } from "../wire/http1/response-head.ts";
import { failingTest, type MatchTests, USUAL_TESTS } from "./health-match.ts";

const NONE: MatchTests = { statuses: [], headers: [], bodies: [], requires: [] };

function headOf(status: number, ...lines: string[]): ResponseHead {
  const bytes = fromLatin1(`HTTP/1.1 ${status} x\r\n${lines.map((line) => `${line}\r\n`).join("")}\r\n`);
  const head = new ResponseHead();
  head.begin(bytes, 0);
  assert.equal(head.parse(bytes.length), HEAD_COMPLETE);
  return head;
}

function failing(tests: Partial<MatchTests>, head: ResponseHead, body = ""): string | undefined {
  return failingTest({ ...NONE, ...tests }, head, body, (name) => ({ one: "1", zero: "0", empty: "" })[name]);
}

test("without a block 2xx and 3xx pass", () => {
  for (const [status, passes] of [
    [199, false],
    [200, true],
    [399, true],
    [400, false],
    [500, false],
  ] as const)
    assert.equal(failing(USUAL_TESTS, headOf(status)), passes ? undefined : "status code");
});

test("statuses are numbers and ranges, and ! turns all of them round", () => {
  const ranges = [
    [301, 303],
    [307, 307],
  ] as const;
  for (const status of [300, 301, 303, 304, 307]) {
    const isIn = status === 301 || status === 303 || status === 307;
    assert.equal(failing({ statuses: [{ negated: false, ranges }] }, headOf(status)) === undefined, isIn);
    assert.equal(failing({ statuses: [{ negated: true, ranges }] }, headOf(status)) === undefined, !isIn);
  }
});

test("headers are there or not, equal or not, match or not; a test of the value wants the line", () => {
  const head = headOf(200, "X-A: one", "X-a: two");
  const name = "x-a";
  const passes = (test: MatchTests["headers"][number]): boolean => failing({ headers: [test] }, head) === undefined;
  assert.ok(passes({ name, kind: "there", negated: false }));
  assert.ok(!passes({ name, kind: "there", negated: true }));
  assert.ok(passes({ name: "x-b", kind: "there", negated: true }));
  assert.ok(passes({ name, kind: "equal", negated: false, value: "two" }), "any line of the name will do");
  assert.ok(!passes({ name, kind: "equal", negated: true, value: "two" }), "none of them may");
  assert.ok(passes({ name, kind: "equal", negated: true, value: "three" }));
  assert.ok(!passes({ name: "x-b", kind: "equal", negated: true, value: "three" }));
  assert.ok(passes({ name, kind: "matches", negated: false, pattern: /^o/ }));
  assert.ok(passes({ name, kind: "matches", negated: true, pattern: /z/ }));
  assert.ok(!passes({ name: "x-b", kind: "matches", negated: true, pattern: /z/ }));
});

test("bodies match or don't, variables are neither empty nor 0, and the first that fails is told", () => {
  const head = headOf(200);
  assert.equal(failing({ bodies: [{ negated: false, pattern: /come/ }] }, head, "welcome"), undefined);
  assert.equal(failing({ bodies: [{ negated: true, pattern: /come/ }] }, head, "welcome"), "body");
  assert.equal(failing({ requires: ["one"] }, head), undefined);
  for (const name of ["zero", "empty", "unknown"]) assert.equal(failing({ requires: ["one", name] }, head), "variable");
  const both = {
    headers: [{ name: "x", kind: "there", negated: false }],
    bodies: [{ negated: false, pattern: /x/ }],
  } as const;
  assert.equal(failing(both, head), "header");
});
