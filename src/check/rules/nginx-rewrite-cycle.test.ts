import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-rewrite-cycle", ...lines);

test("a result that goes elsewhere, or matches no more, ends it", () => {
  assert.deepEqual(check("location /a/ {", "rewrite ^/a/(.*)$ /b/$1 last;", "}"), []);
  assert.deepEqual(check("location / {", "rewrite ^/a/(.*)$ /b/$1 last;", "}"), []);
  assert.deepEqual(check("location / {", "rewrite ^/(.*)$ /index.php?q=$1 break;", "}"), []);
  assert.deepEqual(
    check("location / {", "rewrite ^/(.*)$ /index.php?q=$1 last;", "}", "location ~ \\.php$ {", "return 204;", "}"),
    [],
  );
  assert.deepEqual(check("location / {", "if ($arg_x) {", "break;", "}", "rewrite ^/(.*)$ /x/$1 last;", "}"), []);
});

test("a server rewrites once only", () => {
  assert.deepEqual(check("rewrite ^/(.*)$ /a/$1;", "location / {", "}"), []);
});

test("the same location and the same expression again", () => {
  assert.deepEqual(check("location / {", "rewrite ^/(.*)$ /index.php?q=$1 last;", "}"), [
    "rewrite ^/(.*)$ /index.php?q=$1 last;",
  ]);
  assert.deepEqual(check("location /a/ {", "rewrite ^/a/(.*)$ /a/b/$1 last;", "}"), [
    "rewrite ^/a/(.*)$ /a/b/$1 last;",
  ]);
  assert.deepEqual(check("location / {", "rewrite (.*) /x$uri;", "}"), ["rewrite (.*) /x$uri;"]);
});
