import assert from "node:assert/strict";
import { test } from "node:test";
import { flagged } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flagged("nginx-limit-conn-weak", ...lines);

test("few of one address, many of a server", () => {
  assert.deepEqual(check("limit_conn_zone $binary_remote_addr zone=a:1m;", "limit_conn a 100;"), []);
  assert.deepEqual(check("limit_conn_zone $server_name zone=a:1m;", "limit_conn a 5000;"), []);
});

test("many of one address", () => {
  assert.deepEqual(check("limit_conn_zone $binary_remote_addr zone=a:1m;", "limit_conn a 5000;"), [
    "limit_conn a 5000;",
  ]);
});
