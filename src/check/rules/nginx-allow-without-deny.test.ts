import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-allow-without-deny", ...lines);

test("lists that end, lists of who is refused, and satisfy any", () => {
  assert.deepEqual(check("allow 10.0.0.0/8;", "deny all;"), []);
  assert.deepEqual(check("deny 10.0.0.1;"), []);
  assert.deepEqual(check("allow all;"), []);
  assert.deepEqual(check("allow 10.0.0.0/8;", "satisfy any;"), []);
});

test("a list that does not end", () => {
  assert.deepEqual(check("allow 10.0.0.0/8;"), ["allow 10.0.0.0/8;"]);
});

test("an inner list in the place of one that did", () => {
  assert.deepEqual(check("allow 10.0.0.0/8;", "deny all;", "location /a/ {", "deny 10.0.0.1;", "}"), [
    "deny 10.0.0.1;",
    "deny all;",
  ]);
});
