import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-regex-group", ...lines);

test("captures that are there", () => {
  assert.deepEqual(check("rewrite ^/(a)(?<b>c) /$1$2;", "rewrite ^/a /b$arg_1;"), []);
});

test("and one that is not", () => {
  assert.deepEqual(check("rewrite ^/(a)(?:b) /$2;"), ["rewrite ^/(a)(?:b) /$2;"]);
});
