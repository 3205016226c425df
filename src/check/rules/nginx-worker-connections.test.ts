import assert from "node:assert/strict";
import { test } from "node:test";
import { lintFile, textsOf } from "../nginx/site.cases.ts";

const check = (main: string, http = "") =>
  textsOf(lintFile("nginx-worker-connections", `${main}\nhttp {\n${http}\n}\n`));

test("as many files as connections, or no more than is usual", () => {
  assert.deepEqual(check("events {\n worker_connections 1024;\n}"), []);
  assert.deepEqual(check("worker_rlimit_nofile 4096;\nevents {\n worker_connections 4096;\n}"), []);
  assert.deepEqual(check("events {\n}"), []);
});

test("fewer files than connections", () => {
  assert.deepEqual(check("events {\n worker_connections 2048;\n}"), ["worker_connections 2048;"]);
  assert.deepEqual(check("worker_rlimit_nofile 1024;\nevents {\n worker_connections 2048;\n}"), [
    "worker_connections 2048;",
    "worker_rlimit_nofile 1024;",
  ]);
});
