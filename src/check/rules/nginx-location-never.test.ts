import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-location-never", ...lines);

test("plain names are fine", () => {
  assert.deepEqual(
    check(
      "location /a/ {",
      "}",
      "location = /b.html {",
      "}",
      "location @c {",
      "return 204;",
      "}",
      "location ~ ^a {",
      "}",
    ),
    [],
  );
  assert.deepEqual(check("merge_slashes off;", "location //a {", "}"), []);
});

test("names that no path has", () => {
  assert.deepEqual(check("location images/ {", "}"), ["location images/ {"]);
  assert.deepEqual(check("location /a?b {", "}"), ["location /a?b {"]);
  assert.deepEqual(check("location = /a%20b {", "}"), ["location = /a%20b {"]);
  assert.deepEqual(check("location /a/../b {", "}"), ["location /a/../b {"]);
  assert.deepEqual(check("location //a {", "}"), ["location //a {"]);
});

test("signs that a decoded path may hold are fine", () => {
  assert.deepEqual(check("location '/a?#%<>/' {", "}"), []);
});
