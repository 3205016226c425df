import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-listen-hostname", ...lines);

test("ports, addresses and this machine are fine", () => {
  assert.deepEqual(
    check(
      "listen 80;",
      "listen 127.0.0.1:81;",
      "listen [::1]:82;",
      "listen *:83;",
      "listen localhost:84;",
      "listen unix:/run/a;",
    ),
    [],
  );
});

test("names are not", () => {
  assert.deepEqual(check("listen a.example:80;"), ["listen a.example:80;"]);
  assert.deepEqual(check("listen a.example;"), ["listen a.example;"]);
});
