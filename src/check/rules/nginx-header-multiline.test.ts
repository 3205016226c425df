import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-header-multiline", ...lines);

test("one line is fine", () => {
  assert.deepEqual(check("add_header A 'a; b';"), []);
});

test("two are not", () => {
  assert.deepEqual(check("add_header A 'a;", "b';"), ["add_header A 'a;"]);
  assert.deepEqual(check("location / {", 'proxy_set_header A "a', 'b";', "}"), ['proxy_set_header A "a']);
});
