import assert from "node:assert/strict";
import { test } from "node:test";
import { flagged } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flagged("nginx-resolver-missing", ...lines);

test("addresses, upstreams, and a resolver are fine", () => {
  assert.deepEqual(
    check(
      "upstream app { server 127.0.0.1:1; }",
      "server {",
      "location / {",
      "proxy_pass http://app$request_uri;",
      "}",
      "}",
    ),
    [],
  );
  assert.deepEqual(check("server {", "location / {", "proxy_pass http://127.0.0.1:1$request_uri;", "}", "}"), []);
  assert.deepEqual(check("resolver 127.0.0.1;", "server {", "location / {", "proxy_pass http://$arg_a;", "}", "}"), []);
  assert.deepEqual(
    check(
      "upstream app { server 127.0.0.1:1; }",
      "server {",
      "set $x app;",
      "location / {",
      "proxy_pass http://$x;",
      "}",
      "}",
    ),
    [],
  );
  assert.deepEqual(
    check(
      "upstream a { server 127.0.0.1:1; }",
      "map $arg_b $x { default a; b 127.0.0.1:2; }",
      "server {",
      "location / {",
      "proxy_pass http://$x/;",
      "}",
      "}",
    ),
    [],
  );
  assert.deepEqual(check("server {", "set $x http://127.0.0.1:1;", "location / {", "proxy_pass $x;", "}", "}"), []);
});

test("a name that is written down has to be looked up", () => {
  assert.deepEqual(check("server {", "location / {", "proxy_pass http://a.example$request_uri;", "}", "}"), [
    "proxy_pass http://a.example$request_uri;",
  ]);
  assert.deepEqual(check("server {", "set $x a.example:80;", "location / {", "proxy_pass http://$x;", "}", "}"), [
    "proxy_pass http://$x;",
  ]);
  assert.deepEqual(
    check("server {", "set $x http://a.example;", "location / {", "proxy_pass $x$request_uri;", "}", "}"),
    ["proxy_pass $x$request_uri;"],
  );
});

test("one that the request says may have to", () => {
  assert.deepEqual(check("server {", "location / {", "proxy_pass http://$arg_a;", "}", "}"), [
    "proxy_pass http://$arg_a;",
  ]);
});

test("sockets and addresses with a variable port need none", () => {
  assert.deepEqual(check("server {", "location / {", "proxy_pass http://127.0.0.1:$server_port/a;", "}", "}"), []);
  assert.deepEqual(check("server {", "location / {", "proxy_pass http://unix:/run/a.sock:$request_uri;", "}", "}"), []);
});
