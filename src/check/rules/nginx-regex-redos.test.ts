import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-regex-redos", ...lines);

test("one repetition, and repetitions that end where the next begins, are fine", () => {
  assert.deepEqual(check("location ~ ^/(a|b)*$ {", "}"), []);
  assert.deepEqual(check("location ~ ^/([^/]+)/([^/]+)/([^/]+)\\.html$ {", "}"), []);
  assert.deepEqual(check("location ~ ^(.+\\.php)(/.+)$ {", "}"), []);
  assert.deepEqual(check("location ~ ^/(\\w+)+ {", "}"), []);
  assert.deepEqual(check("location ~ ^/(a+)+.*$ {", "}"), []);
});

test("a repetition of a repetition, or of alternatives that are the same", () => {
  assert.deepEqual(check("location ~ ^/(\\w+)+$ {", "}"), ["location ~ ^/(\\w+)+$ {"]);
  assert.deepEqual(check("location ~ ^/(a|a)*b {", "}"), ["location ~ ^/(a|a)*b {"]);
  assert.deepEqual(check("location ~ ^/(a*)*x$ {", "}"), ["location ~ ^/(a*)*x$ {"]);
  assert.deepEqual(check("location ~ ^/([a-z]+-?)*!$ {", "}"), ["location ~ ^/([a-z]+-?)*!$ {"]);
});

test("many in a row are a note", () => {
  assert.deepEqual(check("location ~ ^/.*/.*/.*\\.html$ {", "}"), ["location ~ ^/.*/.*/.*\\.html$ {"]);
});

test("what no client can make long is fine", () => {
  assert.deepEqual(check("if ($scheme ~ ^(\\w+)+$) {", "return 204;", "}"), []);
});
