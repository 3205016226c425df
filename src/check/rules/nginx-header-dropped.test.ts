import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer, lint } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-header-dropped", ...lines);

test("one level, the same fields again, and words about inheritance are fine", () => {
  assert.deepEqual(check("add_header A 1;", "add_header B 2;", "location / {", "}"), []);
  assert.deepEqual(check("add_header A 1;", "location / {", "add_header a 2;", "}"), []);
  assert.deepEqual(check("add_header A 1;", "location / {", "add_header_inherit merge;", "add_header B 2;", "}"), []);
  assert.deepEqual(check("add_header A 1;", "location / {", "add_header_inherit off;", "add_header B 2;", "}"), []);
});

test("what an inner level drops is shown behind what drops it", () => {
  assert.deepEqual(check("add_header A 1;", "add_header B 2;", "location / {", "add_header B 3;", "}"), [
    "add_header B 3;",
    "add_header A 1;",
  ]);
  assert.deepEqual(check("add_header A 1;", "location / {", "if ($arg_x) {", "add_header B 3;", "}", "}"), [
    "add_header B 3;",
    "add_header A 1;",
  ]);
});

test("fields that protect are more than a note", () => {
  const severities = ["A", "strict-transport-security"].map(
    (name) =>
      lint("nginx-header-dropped", `add_header ${name} 1;`, "server {", "add_header B 1;", "}").map(
        (one) => one.severity,
      )[0],
  );
  assert.deepEqual(severities, ["info", "warning"]);
});
