import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-resolver-public", ...lines);

test("one of this network is fine", () => {
  assert.deepEqual(check("resolver 127.0.0.53 10.0.0.1 valid=30s;"), []);
});

test("public ones are not", () => {
  assert.deepEqual(check("resolver 10.0.0.1 1.1.1.1;"), ["resolver 10.0.0.1 1.1.1.1;"]);
  assert.deepEqual(check("resolver [2001:4860:4860::8888];"), ["resolver [2001:4860:4860::8888];"]);
});
