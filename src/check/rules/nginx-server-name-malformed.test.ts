import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-server-name-malformed", ...lines);

test("names, wildcards, expressions and addresses are fine", () => {
  assert.deepEqual(check('server_name a.example *.b .c ~^d:e "" _ 192.0.2.1 [::1];'), []);
});

test("ports, schemes and commas are not", () => {
  assert.deepEqual(check("server_name a.example:80;"), ["server_name a.example:80;"]);
  assert.deepEqual(check("server_name https://a.example;"), ["server_name https://a.example;"]);
  assert.deepEqual(check("server_name a.example, b.example;"), ["server_name a.example, b.example;"]);
});
