import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-proxy-uri-ignored", ...lines);

test("a path without variables, a variable in it, and exact locations", () => {
  assert.deepEqual(check("location /a/ {", "proxy_pass http://127.0.0.1:1/b/;", "}"), []);
  assert.deepEqual(check("location /a/ {", "proxy_pass http://127.0.0.1:$arg_p$request_uri;", "}"), []);
  assert.deepEqual(check("location ~ ^/a/(.*) {", "proxy_pass http://127.0.0.1:1/b/$1;", "}"), []);
  assert.deepEqual(check("location = /a {", "proxy_pass http://127.0.0.1:$arg_p/b;", "}"), []);
  assert.deepEqual(check("location /a/ {", "rewrite ^/a/(.*) /$1 break;", "proxy_pass http://127.0.0.1:1;", "}"), []);
});

test("one path for all requests", () => {
  assert.deepEqual(check("location /a/ {", "proxy_pass http://127.0.0.1:$arg_p/;", "}"), [
    "proxy_pass http://127.0.0.1:$arg_p/;",
  ]);
});

test("a path that a rewrite replaces", () => {
  assert.deepEqual(check("location /a/ {", "rewrite ^/a/(.*) /$1 break;", "proxy_pass http://127.0.0.1:1/b/;", "}"), [
    "proxy_pass http://127.0.0.1:1/b/;",
    "rewrite ^/a/(.*) /$1 break;",
  ]);
});
