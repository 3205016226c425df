import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-error-page-loop", ...lines);

test("a page of its own is fine, also inside of what refuses", () => {
  assert.deepEqual(
    check(
      "error_page 502 /502.html;",
      "location / {",
      "proxy_pass http://127.0.0.1:1;",
      "}",
      "location = /502.html {",
      "root /srv/www;",
      "}",
    ),
    [],
  );
  assert.deepEqual(check("error_page 404 /404.html;", "location / {", "proxy_pass http://127.0.0.1:1;", "}"), []);
  assert.deepEqual(
    check("deny 10.0.0.0/8;", "error_page 403 /403.html;", "location = /403.html {", "allow all;", "}"),
    [],
  );
  assert.deepEqual(check("error_page 404 =200 /empty;", "error_page 500 @x;", "location @x {", "return 500;", "}"), []);
});

test("the back end that has failed is asked for the page", () => {
  assert.deepEqual(check("error_page 500 502 /502.html;", "location / {", "proxy_pass http://127.0.0.1:1;", "}"), [
    "error_page 500 502 /502.html;",
    "location / {",
  ]);
});

test("who is refused is refused the page, too", () => {
  assert.deepEqual(check("allow 10.0.0.0/8;", "deny all;", "error_page 403 /403.html;"), [
    "error_page 403 /403.html;",
    "server {",
  ]);
  assert.deepEqual(check("error_page 404 /404.html;", "location = /404.html {", "return 404;", "}"), [
    "error_page 404 /404.html;",
    "location = /404.html {",
  ]);
});

test("a missing page that has itself as its page", () => {
  assert.deepEqual(check("recursive_error_pages on;", "error_page 404 /404.html;"), [
    "error_page 404 /404.html;",
    "server {",
  ]);
});
