import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-limit-dry-run", ...lines);

test("off is fine", () => {
  assert.deepEqual(check("limit_req_dry_run off;"), []);
});

test("on is a trial", () => {
  assert.deepEqual(check("limit_req_dry_run on;"), ["limit_req_dry_run on;"]);
  assert.deepEqual(check("location / {", "limit_conn_dry_run on;", "}"), ["limit_conn_dry_run on;"]);
});
