import assert from "node:assert/strict";
import { test } from "node:test";
import { flagged, flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-http-splitting", ...lines);

test("undecoded variables, texts, and captures without line feeds are fine", () => {
  assert.deepEqual(check("return 301 https://$host$request_uri;"), []);
  assert.deepEqual(check("return 200 $uri;"), []);
  assert.deepEqual(check("location ~ ^/a/(.*)$ {", "return 301 /b/$1;", "}"), []);
  assert.deepEqual(check("location ~ ^/a/([a-z]+)$ {", "add_header A $1;", "}"), []);
  assert.deepEqual(check("rewrite ^/([^/]+) /$1/ permanent;"), []);
  assert.deepEqual(check("add_header A $arg_a;", "add_header B $http_b;"), []);
});

test("the decoded path in a header", () => {
  assert.deepEqual(check("return 301 https://a.example$uri;"), ["return 301 https://a.example$uri;"]);
  assert.deepEqual(check("return https://a.example$document_uri;"), ["return https://a.example$document_uri;"]);
  assert.deepEqual(check("add_header A $uri;"), ["add_header A $uri;"]);
  assert.deepEqual(check("rewrite ^ https://a.example$uri permanent;"), ["rewrite ^ https://a.example$uri permanent;"]);
  assert.deepEqual(check("location / {", "proxy_pass http://127.0.0.1:1$uri;", "}"), [
    "proxy_pass http://127.0.0.1:1$uri;",
  ]);
  assert.deepEqual(check("location / {", "proxy_set_header A $uri;", "proxy_pass http://127.0.0.1:1;", "}"), [
    "proxy_set_header A $uri;",
  ]);
});

test("a capture that takes line feeds, by number or by name", () => {
  assert.deepEqual(check("location ~ ^/a/([^/]*) {", "return 301 /b/$1;", "}"), ["return 301 /b/$1;"]);
  assert.deepEqual(check("location ~ ^/a/(?<rest>\\\\D+) {", "add_header A $rest;", "}"), ["add_header A $rest;"]);
  assert.deepEqual(check("if ($uri ~ ^/x(\\\\s.*)) {", "return 302 /$1;", "}"), ["return 302 /$1;"]);
  assert.deepEqual(check("rewrite ^/(?<rest>[^/]+) https://a.example/$rest redirect;"), [
    "rewrite ^/(?<rest>[^/]+) https://a.example/$rest redirect;",
  ]);
});

test("through set and map", () => {
  assert.deepEqual(check("set $page $uri;", "return 301 /login?to=$page;"), ["return 301 /login?to=$page;"]);
  assert.deepEqual(check("set $page $request_uri;", "return 301 /login?to=$page;"), []);
});

test("a map hands on what its texts and captures hold", () => {
  const server = "server { return 301 /$to; }";
  const bad = flagged("nginx-http-splitting", "map $uri $to {", "~^/a/([^/]+) $1;", "default x;", "}", server);
  assert.deepEqual(bad, [server]);
  assert.deepEqual(flagged("nginx-http-splitting", "map $uri $to {", "~^/a/([^/]+) x;", "}", server), []);
  assert.deepEqual(flagged("nginx-http-splitting", "map $arg_a $to {", "~^/a/([^/]+) $1;", "}", server), []);
});
