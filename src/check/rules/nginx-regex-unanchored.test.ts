import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-regex-unanchored", ...lines);

test("both ends, dot files, and folders in the middle of a path are fine", () => {
  assert.deepEqual(check("location ~ ^/a/.*\\.php$ {", "}"), []);
  assert.deepEqual(check("location ~ /\\. {", "}"), []);
  assert.deepEqual(check("location ~ /\\.ht {", "}"), []);
  assert.deepEqual(check("location ~ \\.php(/|$) {", "}"), []);
  assert.deepEqual(check("location ~ (a|b)/c {", "}"), []);
  assert.deepEqual(check("server_name ~^(www\\.)?a\\.example$;"), []);
  assert.deepEqual(check("server_name ~\\.a\\.example$;"), []);
});

test("an extension without its end", () => {
  assert.deepEqual(check("location ~ \\.php {", "fastcgi_pass 127.0.0.1:9;", "}"), ["location ~ \\.php {"]);
  assert.deepEqual(check("location ~* \\.(gif|jpg) {", "}"), ["location ~* \\.(gif|jpg) {"]);
});

test("a folder without its beginning", () => {
  assert.deepEqual(check("location ~ /admin {", "}"), ["location ~ /admin {"]);
});

test("a host that others have at their end or beginning", () => {
  assert.deepEqual(check("server_name ~^www\\.a\\.example;"), ["server_name ~^www\\.a\\.example;"]);
  assert.deepEqual(check("server_name ~a\\.example$;"), ["server_name ~a\\.example$;"]);
  assert.deepEqual(check("if ($host ~ ^a\\.example) {", "return 204;", "}"), ["if ($host ~ ^a\\.example) {"]);
});
