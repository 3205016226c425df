import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-regex-never", ...lines);

test("what some path or host matches", () => {
  assert.deepEqual(check("location ~ ^/a {", "}"), []);
  assert.deepEqual(check("location ~ a^b|/c {", "}"), []);
  assert.deepEqual(check("location ~* ^/A$ {", "}"), []);
  assert.deepEqual(check("merge_slashes off;", "location ~ // {", "}"), []);
  assert.deepEqual(check("location ~ ^/(?!a)b {", "}"), []);
  assert.deepEqual(check("server_name ~^a\\.example$;"), []);
});

test("what none does", () => {
  assert.deepEqual(check("location ~ ^a {", "}"), ["location ~ ^a {"]);
  assert.deepEqual(check("location ~ // {", "}"), ["location ~ // {"]);
  assert.deepEqual(check("location ~ /a$/b {", "}"), ["location ~ /a$/b {"]);
  assert.deepEqual(check("rewrite ^index\\.html$ /b;"), ["rewrite ^index\\.html$ /b;"]);
  assert.deepEqual(check("server_name ~^https://a;"), ["server_name ~^https://a;"]);
  assert.deepEqual(check("if ($http_a ~ x^) {", "return 204;", "}"), ["if ($http_a ~ x^) {"]);
});
