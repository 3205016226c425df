import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-raw-uri-access", ...lines);

test("the decoded path, arguments, and what is only sent elsewhere", () => {
  assert.deepEqual(check("if ($uri ~ ^/a) {", "return 403;", "}"), []);
  assert.deepEqual(check('if ($request_uri ~ "\\\\?id=") {', "return 403;", "}"), []);
  assert.deepEqual(check("if ($request_uri = /a) {", "return 301 /b;", "}"), []);
  assert.deepEqual(check("if ($request_uri !~ ^/a) {", "return 403;", "}"), []);
});

test("a refusal by the text of the request", () => {
  assert.deepEqual(check("if ($request_uri ~* ^/admin) {", "return 403;", "}"), ["if ($request_uri ~* ^/admin) {"]);
  assert.deepEqual(check("if ($request_uri = /a) {", "return 404;", "}"), ["if ($request_uri = /a) {"]);
});
