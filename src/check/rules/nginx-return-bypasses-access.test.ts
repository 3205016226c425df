import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-return-bypasses-access", ...lines);

test("a refusal, an if, and a server may return", () => {
  assert.deepEqual(check("location / {", "deny all;", "return 403;", "}"), []);
  assert.deepEqual(
    check("location / {", "allow 10.0.0.0/8;", "deny all;", "if ($arg_a) {", "return 204;", "}", "}"),
    [],
  );
  assert.deepEqual(check("allow 10.0.0.0/8;", "deny all;", "return 301 https://a.example;"), []);
});

test("what is returned is for everybody", () => {
  assert.deepEqual(check("location / {", "allow 10.0.0.0/8;", "deny all;", "return 200 secret;", "}"), [
    "return 200 secret;",
    "deny all;",
  ]);
  assert.deepEqual(check("location / {", "auth_basic a;", "auth_basic_user_file b;", "return 200 secret;", "}"), [
    "return 200 secret;",
    "auth_basic a;",
  ]);
});
