import assert from "node:assert/strict";
import { test } from "node:test";
import { flagged } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flagged("nginx-upstream-unused", ...lines);

test("upstreams that are passed to, or may be", () => {
  assert.deepEqual(
    check("upstream a { server 127.0.0.1:1; }", "server {", "location / {", "proxy_pass http://A/x;", "}", "}"),
    [],
  );
  assert.deepEqual(
    check(
      "upstream a { server 127.0.0.1:1; }",
      "server {",
      "set $x a;",
      "location / {",
      "proxy_pass http://$x;",
      "}",
      "}",
    ),
    [],
  );
  assert.deepEqual(
    check("upstream a { server 127.0.0.1:1; }", "server {", "location / {", "proxy_pass http://$arg_x;", "}", "}"),
    [],
  );
  assert.deepEqual(
    check("upstream a { server 127.0.0.1:1; }", "server {", "location / {", "fastcgi_pass a;", "}", "}"),
    [],
  );
});

test("one that is not", () => {
  assert.deepEqual(
    check("upstream a { server 127.0.0.1:1; }", "server {", "location / {", "proxy_pass http://b;", "}", "}"),
    ["upstream a { server 127.0.0.1:1; }"],
  );
});
