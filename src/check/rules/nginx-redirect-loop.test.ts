import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-redirect-loop", ...lines);

test("another scheme, another name, or a condition leads away", () => {
  assert.deepEqual(check("listen 80;", "return 301 https://$host$request_uri;"), []);
  assert.deepEqual(check("listen 80;", "server_name a.example;", "return 301 http://b.example$request_uri;"), []);
  assert.deepEqual(
    check(
      "listen 80;",
      "server_name a.example;",
      "if ($arg_x) {",
      "set $y z;",
      "}",
      "return 301 http://a.example$request_uri;",
    ),
    [],
  );
  assert.deepEqual(check("listen 8080;", "server_name a.example;", "return 301 http://a.example$request_uri;"), []);
  assert.deepEqual(check("listen 80;", "return 301 http://$host/new$request_uri;"), []);
});

test("the same scheme, name and port lead back", () => {
  assert.deepEqual(check("listen 80;", "return 301 http://$host$request_uri;"), [
    "return 301 http://$host$request_uri;",
  ]);
  assert.deepEqual(check("return 302 $scheme://$host$request_uri;"), ["return 302 $scheme://$host$request_uri;"]);
  assert.deepEqual(check("listen 443 ssl;", "server_name a.example;", "return 301 https://a.example$request_uri;"), [
    "return 301 https://a.example$request_uri;",
  ]);
  assert.deepEqual(
    check("listen 80;", "server_name a.example;", "location / {", "return 301 http://a.example$uri;", "}"),
    ["return 301 http://a.example$uri;"],
  );
  assert.deepEqual(check("listen 8080;", "server_name a.example;", "return 301 http://a.example:8080$request_uri;"), [
    "return 301 http://a.example:8080$request_uri;",
  ]);
});
