import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-if-file", ...lines);

test("a file of another name, and a return, are fine", () => {
  assert.deepEqual(check("if (-f $document_root/closed) {", "return 503;", "}"), []);
  assert.deepEqual(check("if (!-e $request_filename) {", "return 404;", "}"), []);
});

test("what try_files is for", () => {
  assert.deepEqual(check("location / {", "if (!-e $request_filename) {", "rewrite ^ /index.php last;", "}", "}"), [
    "if (!-e $request_filename) {",
  ]);
});
