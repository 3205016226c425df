import assert from "node:assert/strict";
import { test } from "node:test";
import { flagged } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flagged("nginx-types-missing", ...lines);

test("with types, or without files, nothing is missing", () => {
  assert.deepEqual(check("types { text/css css; }", "server {", "root /srv/www;", "}"), []);
  assert.deepEqual(check("server {", "location / {", "proxy_pass http://127.0.0.1:1;", "}", "}"), []);
  assert.deepEqual(check("server {", "location / {", "return 204;", "}", "}"), []);
  assert.deepEqual(check("server {", "location / {", "root /srv/www;", "types { text/css css; }", "}", "}"), []);
});

test("a file that is not here may have them", () => {
  assert.deepEqual(check("include mime.types;", "server {", "root /srv/www;", "}"), []);
});

test("files without types", () => {
  assert.deepEqual(check("server {", "root /srv/www;", "}"), ["server {"]);
  assert.deepEqual(check("server { # a", "location / {", "alias /srv/www/;", "}", "}"), ["server { # a"]);
});
