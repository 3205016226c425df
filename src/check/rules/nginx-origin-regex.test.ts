import assert from "node:assert/strict";
import { test } from "node:test";
import { flagged } from "../nginx/site.cases.ts";

const check = (expression: string, variable = "$http_origin") =>
  flagged("nginx-origin-regex", `map ${variable} $x {`, `"${expression}" 1;`, "}").length;

test("both ends and escaped dots let nobody else in", () => {
  assert.equal(check(String.raw`~^https://([a-z0-9-]+\.)?a\.example$`), 0);
  assert.equal(check(String.raw`~^https?://(www|api)\.a\.example(:\d+)?$`), 0);
  assert.equal(check(String.raw`~^https://a\.example/`, "$http_referer"), 0);
});

test("texts and other variables are no matter of this rule", () => {
  assert.equal(check("https://a.example"), 0);
  assert.equal(check("~a.example", "$http_user_agent"), 0);
});

test("an open end, an open beginning and a dot for any sign do", () => {
  assert.equal(check(String.raw`~^https://a\.example`), 1);
  assert.equal(check(String.raw`~a\.example$`), 1);
  assert.equal(check(String.raw`~^https://www.a\.example$`), 1);
  assert.equal(check(String.raw`~^https?://.*a\.example$`), 1);
});

test("an if is looked at, too", () => {
  const line = "if ($http_origin ~ a\\.example) {";
  assert.deepEqual(flagged("nginx-origin-regex", "server {", line, "return 204;", "}", "}"), [line]);
});
