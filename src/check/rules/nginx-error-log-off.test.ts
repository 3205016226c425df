import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-error-log-off", ...lines);

test("a path is fine", () => {
  assert.deepEqual(check("error_log /dev/null crit;", "access_log off;"), []);
});

test("off is a path, too", () => {
  assert.deepEqual(check("error_log off;"), ["error_log off;"]);
  assert.deepEqual(check("location / {", "error_log off crit;", "}"), ["error_log off crit;"]);
});
