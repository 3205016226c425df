import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-version-disclosure", ...lines);

test("nothing said, or off, is fine", () => {
  assert.deepEqual(check("server_tokens off;"), []);
  assert.deepEqual(check("proxy_pass_header Date;"), []);
});

test("what is told on purpose", () => {
  assert.deepEqual(check("server_tokens build;"), ["server_tokens build;"]);
  assert.deepEqual(check("proxy_pass_header X-Powered-By;"), ["proxy_pass_header X-Powered-By;"]);
});
