import assert from "node:assert/strict";
import { test } from "node:test";
import { flagged } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flagged("nginx-limit-unused", ...lines);

test("a zone that is used somewhere", () => {
  assert.deepEqual(
    check("limit_conn_zone $binary_remote_addr zone=a:1m;", "server {", "location / {", "limit_conn a 10;", "}", "}"),
    [],
  );
});

test("one that is not, though the other kind has its name", () => {
  assert.deepEqual(
    check(
      "limit_conn_zone $binary_remote_addr zone=a:1m;",
      "limit_req_zone $binary_remote_addr zone=b:1m rate=1r/s;",
      "limit_req zone=b burst=1;",
    ),
    ["limit_conn_zone $binary_remote_addr zone=a:1m;"],
  );
  assert.deepEqual(check("limit_req_zone $binary_remote_addr zone=b:1m rate=1r/s;"), [
    "limit_req_zone $binary_remote_addr zone=b:1m rate=1r/s;",
  ]);
});
