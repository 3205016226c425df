import assert from "node:assert/strict";
import { test } from "node:test";
import { flagged } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flagged("nginx-limit-key", ...lines);

test("addresses, credentials and servers", () => {
  assert.deepEqual(
    check(
      "limit_conn_zone $binary_remote_addr zone=a:1m;",
      "limit_conn_zone $http_authorization zone=b:1m;",
      "limit_conn_zone $server_name zone=c:1m;",
      "limit_conn_zone $binary_remote_addr$arg_a zone=d:1m;",
    ),
    [],
  );
});

test("what the client chooses, and nothing at all", () => {
  assert.deepEqual(check("limit_conn_zone $http_user_agent zone=a:1m;"), [
    "limit_conn_zone $http_user_agent zone=a:1m;",
  ]);
  assert.deepEqual(check("limit_conn_zone ${cookie_a} zone=a:1m;"), ["limit_conn_zone ${cookie_a} zone=a:1m;"]);
  assert.deepEqual(check("limit_conn_zone all zone=a:1m;"), ["limit_conn_zone all zone=a:1m;"]);
});
