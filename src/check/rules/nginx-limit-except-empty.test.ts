import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-limit-except-empty", ...lines);

test("one that refuses is fine", () => {
  assert.deepEqual(check("location / {", "limit_except GET {", "allow 10.0.0.0/8;", "deny all;", "}", "}"), []);
});

test("one that does not", () => {
  assert.deepEqual(check("location / {", "limit_except GET {", "}", "}"), ["limit_except GET {"]);
  assert.deepEqual(check("location / {", "limit_except GET {", "allow 10.0.0.0/8;", "}", "}"), ["limit_except GET {"]);
});

test("one that passes other methods elsewhere is fine", () => {
  const lines = ["location / {", "limit_except GET {", "proxy_pass http://127.0.0.1:1;", "}", "}"];
  assert.deepEqual(check(...lines), []);
});
