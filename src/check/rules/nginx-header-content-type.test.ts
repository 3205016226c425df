import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-header-content-type", ...lines);

test("other fields are fine", () => {
  assert.deepEqual(check("add_header Cache-Control no-cache;", "default_type text/plain;"), []);
});

test("a second Content-Type is not", () => {
  assert.deepEqual(check("add_header content-type text/plain always;"), ["add_header content-type text/plain always;"]);
});
