import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-ssrf", ...lines);

test("what the configuration has written down is fine", () => {
  assert.deepEqual(check("location / {", "proxy_pass http://127.0.0.1:1$request_uri;", "}"), []);
  assert.deepEqual(check("location ~ ^/(a|b)/ {", "proxy_pass http://$1;", "}"), []);
  assert.deepEqual(check("set $x a.example;", "location / {", "proxy_pass http://$x/$arg_a;", "}"), []);
  assert.deepEqual(check("location / {", "internal;", "proxy_pass http://$arg_a;", "}"), []);
});

test("any host of a domain is meant, when nothing can end the name", () => {
  assert.deepEqual(check("location ~ ^/([a-z0-9-]+)/ {", "proxy_pass http://$1.a.example;", "}"), []);
  assert.deepEqual(check("location / {", "proxy_pass http://$host.a.example$request_uri;", "}"), []);
});

test("what the client says", () => {
  assert.deepEqual(check("location / {", "proxy_pass http://$arg_a;", "}"), ["proxy_pass http://$arg_a;"]);
  assert.deepEqual(check("location / {", "proxy_pass $scheme://$http_host$request_uri;", "}"), [
    "proxy_pass $scheme://$http_host$request_uri;",
  ]);
  assert.deepEqual(check("location ~ ^/([^/]+)/ {", "proxy_pass http://$1;", "}"), ["proxy_pass http://$1;"]);
  assert.deepEqual(check("location ~ ^/(?<x>.+) {", "proxy_pass http://$x.a.example;", "}"), [
    "proxy_pass http://$x.a.example;",
  ]);
  assert.deepEqual(check("set $y $cookie_b;", "location / {", "proxy_pass http://$y;", "}"), ["proxy_pass http://$y;"]);
});
