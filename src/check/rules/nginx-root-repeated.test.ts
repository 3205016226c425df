import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-root-repeated", ...lines);

test("two are no pattern, and different ones are meant", () => {
  assert.deepEqual(check("location / {", "root /srv;", "}", "location /a {", "root /srv;", "}"), []);
  assert.deepEqual(
    check(
      "location / {",
      "root /srv/a;",
      "}",
      "location /a {",
      "root /srv/b;",
      "}",
      "location /b {",
      "root /srv/b;",
      "}",
    ),
    [],
  );
});

test("three are", () => {
  assert.deepEqual(
    check(
      "location / {",
      "root /srv;",
      "}",
      "location /a {",
      "root /srv; # a",
      "}",
      "location /b {",
      "root /srv; # b",
      "}",
    ),
    ["root /srv;", "root /srv; # a", "root /srv; # b"],
  );
});
