import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-body-unlimited", ...lines);

test("a bound, or one location without", () => {
  assert.deepEqual(check("client_max_body_size 1g;"), []);
  assert.deepEqual(check("location /upload {", "client_max_body_size 0;", "}"), []);
});

test("a whole server without", () => {
  assert.deepEqual(check("client_max_body_size 0;"), ["client_max_body_size 0;"]);
  assert.deepEqual(check("client_max_body_size 0m;"), ["client_max_body_size 0m;"]);
});
