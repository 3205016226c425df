import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-access-overtaken", ...lines);

test("expressions for other paths, guarded ones, and prefixes that none takes from", () => {
  assert.deepEqual(check("location /a/ {", "deny all;", "}", "location ~ ^/b/ {", "}"), []);
  assert.deepEqual(check("location ^~ /a/ {", "deny all;", "}", "location ~ \\.php$ {", "}"), []);
  assert.deepEqual(check("location /a/ {", "deny all;", "}", "location ~ /\\. {", "return 404;", "}"), []);
  assert.deepEqual(
    check("deny all;", "location /a/ {", "auth_basic x;", "auth_basic_user_file y;", "}", "location ~ \\.php$ {", "}"),
    [],
  );
  assert.deepEqual(check("location /a/ {", "}", "location ~ \\.php$ {", "}"), []);
});

test("an expression that takes paths of a guarded prefix", () => {
  assert.deepEqual(check("location /a/ {", "deny all;", "}", "location ~ \\.php$ {", "}"), [
    "location /a/ {",
    "deny all;",
    "location ~ \\.php$ {",
  ]);
  assert.deepEqual(check("location /a/ {", "internal;", "}", "location ~* \\.(css|js)$ {", "}"), [
    "location /a/ {",
    "internal;",
    "location ~* \\.(css|js)$ {",
  ]);
  assert.deepEqual(
    check("location /a/ {", "auth_basic x;", "auth_basic_user_file y;", "}", "location ~ ^/a/b {", "}"),
    ["location /a/ {", "auth_basic x;", "location ~ ^/a/b {"],
  );
});
