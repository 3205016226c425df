import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-if-trap", ...lines);

test("what rewrites or leaves is safe, and so is an if of a server", () => {
  assert.deepEqual(
    check("location / {", "if ($arg_a) {", "return 403;", "add_header A a;", "}", "try_files $uri =404;", "}"),
    [],
  );
  assert.deepEqual(check("location / {", "if ($arg_a) {", "set $b c;", "}", "}"), []);
  assert.deepEqual(check("location / {", "if ($arg_a) {", "rewrite ^ /b last;", "}", "try_files $uri =404;", "}"), []);
  assert.deepEqual(check("if ($arg_a) {", "set $b c;", "}", "location / {", "try_files $uri =404;", "}"), []);
});

test("try_files is lost, also by an if that only sets", () => {
  assert.deepEqual(check("location / {", "if ($arg_a) {", "set $b c;", "}", "try_files $uri =404;", "}"), [
    "if ($arg_a) {",
    "try_files $uri =404;",
  ]);
});

test("only the last if counts", () => {
  assert.deepEqual(
    check("location / {", "if ($arg_a) {", "expires 1h;", "}", "if ($arg_b) {", "add_header B b;", "}", "}"),
    ["if ($arg_a) {", "expires 1h;", "if ($arg_b) {", "add_header B b;"],
  );
});

test("a single one is a note", () => {
  assert.deepEqual(check("location / {", "if ($arg_a) {", "expires 1h;", "}", "}"), ["if ($arg_a) {", "expires 1h;"]);
});
