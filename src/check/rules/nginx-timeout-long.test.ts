import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-timeout-long", ...lines);

test("ten minutes, and long waits for back ends", () => {
  assert.deepEqual(check("client_body_timeout 10m;", "proxy_read_timeout 1d;", "keepalive_timeout 75s 60s;"), []);
});

test("more", () => {
  assert.deepEqual(check("client_header_timeout 11m;"), ["client_header_timeout 11m;"]);
  assert.deepEqual(check("send_timeout 3600;"), ["send_timeout 3600;"]);
});
