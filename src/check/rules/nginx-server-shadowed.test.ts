import assert from "node:assert/strict";
import { test } from "node:test";
import { flagged } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flagged("nginx-server-shadowed", ...lines);

test("other names, and the same name on another address, are fine", () => {
  assert.deepEqual(check("server { listen 80; server_name a; }", "server { listen 80; server_name b; }"), []);
  assert.deepEqual(check("server { listen 80; server_name a; }", "server { listen 81; server_name a; }"), []);
  assert.deepEqual(check("server { server_name a; }", "server { listen 443 ssl; server_name a; }"), []);
});

test("the second server of a name gets nothing for it", () => {
  const a = "server { listen 80; server_name a; }";
  const b = "server { listen *:80; server_name b A; }";
  assert.deepEqual(check(a, b), [a, b]);
  const dot = "server { listen 80; server_name .a; }";
  assert.deepEqual(check(a, dot), [a, dot]);
});

test("a server without a name is reached as the default one only", () => {
  const a = "server { listen 80; server_name a; }";
  const underscore = "server { listen 80; server_name _; }";
  assert.deepEqual(check(underscore, a), []);
  assert.deepEqual(check(a, "server { listen 80 default_server; server_name _; }"), []);
  assert.deepEqual(check(a, underscore), [underscore, a]);
  assert.deepEqual(check(a, "server { listen 80; }"), ["server { listen 80; }", a]);
});

test("an empty name says what it is for", () => {
  assert.deepEqual(check("server { listen 80; server_name a; }", 'server { listen 80; server_name ""; }'), []);
});
