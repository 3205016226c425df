import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-https-downgrade", ...lines);

test("plain servers, and servers that speak both, are fine", () => {
  assert.deepEqual(check("listen 80;", "return 301 http://a.example;"), []);
  assert.deepEqual(check("listen 80;", "listen 443 ssl;", "return 301 http://a.example;"), []);
  assert.deepEqual(check("listen 443 ssl;", "return 301 https://a.example;"), []);
});

test("away from TLS", () => {
  assert.deepEqual(check("listen 443 ssl;", "location /a {", "return 301 http://a.example;", "}"), [
    "return 301 http://a.example;",
  ]);
  assert.deepEqual(check("listen 443 ssl;", "rewrite ^/a$ http://a.example redirect;"), [
    "rewrite ^/a$ http://a.example redirect;",
  ]);
});
