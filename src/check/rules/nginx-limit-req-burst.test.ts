import assert from "node:assert/strict";
import { test } from "node:test";
import { flagged } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flagged("nginx-limit-req-burst", ...lines);

test("with a burst", () => {
  assert.deepEqual(check("limit_req_zone $binary_remote_addr zone=a:1m rate=1r/s;", "limit_req zone=a burst=1;"), []);
});

test("without", () => {
  assert.deepEqual(
    check("limit_req_zone $binary_remote_addr zone=a:1m rate=1r/s;", "server {", "limit_req zone=a nodelay;", "}"),
    ["limit_req zone=a nodelay;"],
  );
});
