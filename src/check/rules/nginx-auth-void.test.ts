import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-auth-void", ...lines);

test("a file of users, wherever it stands, and off are fine", () => {
  assert.deepEqual(check("auth_basic x;", "auth_basic_user_file y;"), []);
  assert.deepEqual(check("auth_basic_user_file y;", "location / {", "auth_basic x;", "}"), []);
  assert.deepEqual(check("auth_basic x;", "location / {", "auth_basic_user_file y;", "}"), []);
  assert.deepEqual(check("auth_basic off;"), []);
});

test("none", () => {
  assert.deepEqual(check("location / {", 'auth_basic "x y";', "}"), ['auth_basic "x y";']);
});
