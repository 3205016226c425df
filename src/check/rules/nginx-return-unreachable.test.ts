import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-return-unreachable", ...lines);

test("a return in an if or in a location leaves the others alone", () => {
  assert.deepEqual(check("if ($arg_a) {", "return 403;", "}", "location / {", "}"), []);
  assert.deepEqual(check("location / {", "return 403;", "}", "location /a {", "}"), []);
  assert.deepEqual(check("location / {", "set $a b;", "return 200 $a;", "}"), []);
});

test("a return in a server leaves nothing to its locations, wherever it stands", () => {
  assert.deepEqual(check("location /a {", "}", "return 301 https://a.example;"), [
    "return 301 https://a.example;",
    "location /a {",
  ]);
  assert.deepEqual(check("location /a {", "}", "rewrite ^ https://a.example permanent;"), [
    "rewrite ^ https://a.example permanent;",
    "location /a {",
  ]);
});

test("neither are directives behind it asked, nor back ends", () => {
  assert.deepEqual(check("location / {", "return 204;", "set $a b;", "}"), ["return 204;", "set $a b;"]);
  assert.deepEqual(check("location / {", "proxy_pass http://127.0.0.1:1;", "return 204;", "}"), [
    "return 204;",
    "proxy_pass http://127.0.0.1:1;",
  ]);
});
