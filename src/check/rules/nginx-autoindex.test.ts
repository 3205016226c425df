import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-autoindex", ...lines);

test("a list whose dot files are refused, or that is not for everybody, is fine", () => {
  assert.deepEqual(check("autoindex off;"), []);
  assert.deepEqual(check("autoindex on;", "location ~ /\\. {", "deny all;", "}"), []);
  assert.deepEqual(check("location /a/ {", "autoindex on;", "}", "location ~ /\\.git {", "return 404;", "}"), []);
  assert.deepEqual(check("location /a/ {", "autoindex on;", "allow 10.0.0.0/8;", "deny all;", "}"), []);
});

test("one for everybody, with everything", () => {
  assert.deepEqual(check("root /srv/www;", "autoindex on;"), ["autoindex on;"]);
  assert.deepEqual(check("location /a/ {", "autoindex on;", "}", "location ~ ^/\\. {", "deny all;", "}"), [
    "autoindex on;",
  ]);
});
