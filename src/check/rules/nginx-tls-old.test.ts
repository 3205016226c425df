import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-tls-old", ...lines);

test("new versions, and old ones that nobody speaks", () => {
  assert.deepEqual(check("listen 443 ssl;", "ssl_protocols TLSv1.2 TLSv1.3;"), []);
  assert.deepEqual(check("listen 80;", "ssl_protocols TLSv1;"), []);
});

test("old ones", () => {
  assert.deepEqual(check("listen 443 ssl;", "ssl_protocols TLSv1.1 TLSv1.2;"), ["ssl_protocols TLSv1.1 TLSv1.2;"]);
});
