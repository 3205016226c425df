import assert from "node:assert/strict";
import { test } from "node:test";
import { flagged } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flagged("nginx-limit-zone-small", ...lines);

test("a megabyte, or one key for many", () => {
  assert.deepEqual(check("limit_req_zone $binary_remote_addr zone=a:1m rate=1r/s;"), []);
  assert.deepEqual(check("limit_conn_zone $server_name zone=a:64k;"), []);
});

test("room for a few hundred clients", () => {
  assert.deepEqual(check("limit_req_zone $binary_remote_addr zone=a:64k rate=1r/s;"), [
    "limit_req_zone $binary_remote_addr zone=a:64k rate=1r/s;",
  ]);
  assert.deepEqual(check("limit_conn_zone $binary_remote_addr zone=a:32k;"), [
    "limit_conn_zone $binary_remote_addr zone=a:32k;",
  ]);
});
