import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-if-host", ...lines);

test("other variables, and what only sets, are fine", () => {
  assert.deepEqual(check("if ($arg_a = b) {", "return 301 /a;", "}"), []);
  assert.deepEqual(check("if ($host = b) {", "set $a b;", "}"), []);
});

test("the host is what server_name is for", () => {
  assert.deepEqual(check("if ($host != a.example) {", "return 301 https://a.example;", "}"), [
    "if ($host != a.example) {",
  ]);
  assert.deepEqual(check("if ($http_host ~ ^www) {", "rewrite ^ /a;", "}"), ["if ($http_host ~ ^www) {"]);
});
