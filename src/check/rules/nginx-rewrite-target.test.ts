import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-rewrite-target", ...lines);

test("paths, URLs and variables are fine", () => {
  assert.deepEqual(check("rewrite ^/a /b;", "rewrite ^/b https://a.example/;", "set $x /y;", "rewrite ^/c $x;"), []);
});

test("anything else leads nowhere", () => {
  assert.deepEqual(check("rewrite ^/a b;"), ["rewrite ^/a b;"]);
  assert.deepEqual(check("rewrite ^/a www.a.example permanent;"), ["rewrite ^/a www.a.example permanent;"]);
});
