import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-realip-everyone", ...lines);

test("networks are fine", () => {
  assert.deepEqual(check("set_real_ip_from 10.0.0.0/8;", "set_real_ip_from unix:;"), []);
});

test("all of them are not", () => {
  assert.deepEqual(check("set_real_ip_from 0.0.0.0/0;"), ["set_real_ip_from 0.0.0.0/0;"]);
  assert.deepEqual(check("set_real_ip_from ::/0;"), ["set_real_ip_from ::/0;"]);
});
