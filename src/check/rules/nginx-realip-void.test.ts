import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-realip-void", ...lines);

test("somebody is believed, here or further in", () => {
  assert.deepEqual(check("real_ip_header X-Forwarded-For;", "set_real_ip_from 10.0.0.0/8;"), []);
  assert.deepEqual(check("real_ip_header X-Forwarded-For;", "location / {", "set_real_ip_from 10.0.0.0/8;", "}"), []);
});

test("nobody is", () => {
  assert.deepEqual(check("real_ip_header X-Forwarded-For;"), ["real_ip_header X-Forwarded-For;"]);
});
