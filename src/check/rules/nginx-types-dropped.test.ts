import assert from "node:assert/strict";
import { test } from "node:test";
import { flagged } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flagged("nginx-types-dropped", ...lines);

test("types of one level add up; an empty block, and a long one, are meant", () => {
  assert.deepEqual(check("types { a/b c; }", "server {", "}", "types { d/e f; }"), []);
  assert.deepEqual(check("types { a/b c; }", "server {", "types { }", "}"), []);
  assert.deepEqual(
    check(
      "types { a/b c; }",
      "server {",
      "types { a/a a; a/b b; a/c c; a/d d; a/e e; a/f f; a/g g; a/h h; a/i i; a/j j; }",
      "}",
    ),
    [],
  );
  assert.deepEqual(check("server {", "types { d/e f; }", "}"), []);
});

test("a short one takes all others away", () => {
  assert.deepEqual(check("types { a/b c; }", "server {", "types { d/e f; }", "}"), [
    "types { d/e f; }",
    "types { a/b c; }",
  ]);
});
