import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-root-missing", ...lines);

test("a root in the server, or in every location, is fine", () => {
  assert.deepEqual(check("root /srv;", "location /a/ {", "}"), []);
  assert.deepEqual(check("location / {", "root /srv;", "}", "location = /50x.html {", "root /srv;", "}"), []);
  assert.deepEqual(check("location / {", "root /srv;", "location /a/ {", "}", "}"), []);
});

test("locations that look for no file need none", () => {
  assert.deepEqual(
    check(
      "location / {",
      "proxy_pass http://127.0.0.1:1;",
      "}",
      "location /old/ {",
      "rewrite ^/old/(.*)$ /new/$1 last;",
      "}",
    ),
    [],
  );
  assert.deepEqual(
    check(
      "location / {",
      "return 204;",
      "}",
      "location /b/ {",
      "deny all;",
      "}",
      "location /c/ {",
      "fastcgi_pass 127.0.0.1:9;",
      "}",
    ),
    [],
  );
});

test("a location beside one with a root has none, and neither has the server itself", () => {
  assert.deepEqual(check("location /a/ {", "root /srv;", "}"), ["server {", "root /srv;"]);
  assert.deepEqual(check("location / {", "root /srv;", "}", "location /b/ {", "}"), ["location /b/ {", "root /srv;"]);
});

test("no root at all", () => {
  assert.deepEqual(check("location / {", "index index.html;", "}"), ["location / {"]);
});
