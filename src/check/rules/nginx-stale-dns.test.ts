import assert from "node:assert/strict";
import { test } from "node:test";
import { flagged } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flagged("nginx-stale-dns", ...lines);

test("addresses, this machine, names that are looked up again, and variables are fine", () => {
  assert.deepEqual(
    check(
      "upstream a { server 127.0.0.1:1; server localhost:2; server unix:/run/a; }",
      "server {",
      "location / {",
      "proxy_pass http://a;",
      "}",
      "}",
    ),
    [],
  );
  assert.deepEqual(check("resolver 127.0.0.1;", "upstream a { zone a 64k; server a.example resolve; }"), []);
  assert.deepEqual(
    check("resolver 127.0.0.1;", "server {", "location / {", "proxy_pass http://a.example$request_uri;", "}", "}"),
    [],
  );
});

test("names that are not", () => {
  assert.deepEqual(
    check(
      "upstream a {",
      "server a.example:80;",
      "}",
      "server {",
      "location / {",
      "proxy_pass http://b.example;",
      "}",
      "}",
    ),
    ["proxy_pass http://b.example;", "server a.example:80;"],
  );
});
