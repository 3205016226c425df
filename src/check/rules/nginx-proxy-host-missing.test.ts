import assert from "node:assert/strict";
import { test } from "node:test";
import { flagged } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flagged("nginx-proxy-host-missing", ...lines);

test("a field of its own, an address, and a name with dots are fine", () => {
  assert.deepEqual(
    check(
      "upstream app { server 127.0.0.1:1; }",
      "server {",
      "location / {",
      "proxy_set_header Host $host;",
      "proxy_pass http://app;",
      "}",
      "}",
    ),
    [],
  );
  assert.deepEqual(
    check(
      "upstream app { server 127.0.0.1:1; }",
      "proxy_set_header Host a;",
      "server {",
      "location / {",
      "proxy_pass http://app;",
      "}",
      "}",
    ),
    [],
  );
  assert.deepEqual(check("server {", "location / {", "proxy_pass http://127.0.0.1:1;", "}", "}"), []);
  assert.deepEqual(
    check(
      "upstream app.example { server 127.0.0.1:1; }",
      "server {",
      "location / {",
      "proxy_pass http://app.example;",
      "}",
      "}",
    ),
    [],
  );
});

test("the name of the block is told, also when other fields are set", () => {
  assert.deepEqual(
    check(
      "upstream app { server 127.0.0.1:1; }",
      "server {",
      "location / {",
      "proxy_set_header A a;",
      "proxy_pass http://App/x;",
      "}",
      "}",
    ),
    ["proxy_pass http://App/x;"],
  );
});
