import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-status-exposed", ...lines);

test("for some, or for this machine only", () => {
  assert.deepEqual(check("location / {", "stub_status;", "allow 127.0.0.1;", "deny all;", "}"), []);
  assert.deepEqual(check("listen 127.0.0.1:80;", "location / {", "stub_status;", "}"), []);
  assert.deepEqual(check("deny all;", "location / {", "stub_status;", "}"), []);
});

test("for everybody", () => {
  assert.deepEqual(check("location / {", "stub_status;", "}"), ["stub_status;"]);
  assert.deepEqual(check("location / {", "stub_status;", "allow 127.0.0.1;", "}"), ["stub_status;"]);
});
