import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-access-order", ...lines);

test("all at the end is fine", () => {
  assert.deepEqual(check("deny 10.0.0.1;", "allow 10.0.0.0/8;", "deny all;"), []);
});

test("lines behind it are not", () => {
  assert.deepEqual(check("deny all;", "allow 10.0.0.0/8;"), ["deny all;", "allow 10.0.0.0/8;"]);
  assert.deepEqual(check("allow all;", "deny 10.0.0.1;"), ["allow all;", "deny 10.0.0.1;"]);
});
