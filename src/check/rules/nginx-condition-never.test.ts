import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-condition-never", ...lines);

test("values that can be", () => {
  assert.deepEqual(check("if ($request_method = POST) {", "return 405;", "}"), []);
  assert.deepEqual(check("if ($host = a.example) {", "return 405;", "}"), []);
  assert.deepEqual(check("if ($scheme != https) {", "return 405;", "}"), []);
  assert.deepEqual(check("if ($arg_a = X) {", "return 405;", "}"), []);
});

test("values that can't", () => {
  assert.deepEqual(check("if ($host = A.example) {", "return 405;", "}"), ["if ($host = A.example) {"]);
  assert.deepEqual(check("if ($scheme = HTTPS) {", "return 405;", "}"), ["if ($scheme = HTTPS) {"]);
  assert.deepEqual(check("if ($uri = index.html) {", "return 405;", "}"), ["if ($uri = index.html) {"]);
  assert.deepEqual(check("if ($remote_addr != 10.0.0.0/8) {", "return 405;", "}"), [
    "if ($remote_addr != 10.0.0.0/8) {",
  ]);
});
