import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-location-unreachable", ...lines);

test("other paths, another order, and prefixes that no expression is asked for", () => {
  assert.deepEqual(check("location ~ \\.css$ {", "}", "location ~ \\.(css|js)$ {", "}"), []);
  assert.deepEqual(check("location ^~ /a/ {", "}", "location = /b {", "}", "location ~ ^/ {", "}"), []);
  assert.deepEqual(check("location /a/ {", "}", "location ~ ^/a/.*\\.php$ {", "}"), []);
  assert.deepEqual(check("location ~ ^/(?!b) {", "}", "location ~ ^/a {", "}"), []);
});

test("an earlier expression matches all of a later one", () => {
  assert.deepEqual(check("location ~ \\.(css|js)$ {", "}", "location ~ ^/a/.*\\.css$ {", "}"), [
    "location ~ ^/a/.*\\.css$ {",
    "location ~ \\.(css|js)$ {",
  ]);
  assert.deepEqual(check("location ~* \\.PHP$ {", "}", "location ~ \\.php$ {", "}"), [
    "location ~ \\.php$ {",
    "location ~* \\.PHP$ {",
  ]);
});

test("an expression matches all of a prefix", () => {
  assert.deepEqual(check("location / {", "}", "location ~ .* {", "}"), ["location / {", "location ~ .* {"]);
  assert.deepEqual(check("location /a/b/ {", "}", "location ~ ^/a {", "}"), ["location /a/b/ {", "location ~ ^/a {"]);
});
