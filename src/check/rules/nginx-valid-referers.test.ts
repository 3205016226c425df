import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-valid-referers", ...lines);

test("names, and a look at the result", () => {
  assert.deepEqual(check("valid_referers a.example;", "if ($invalid_referer) {", "return 403;", "}"), []);
});

test("none lets everybody in", () => {
  assert.deepEqual(check("valid_referers none a.example;", "if ($invalid_referer) {", "return 403;", "}"), [
    "valid_referers none a.example;",
  ]);
});

test("nobody looks", () => {
  assert.deepEqual(check("valid_referers a.example;"), ["valid_referers a.example;"]);
});
