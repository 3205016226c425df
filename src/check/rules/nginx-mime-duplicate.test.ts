import assert from "node:assert/strict";
import { test } from "node:test";
import { flagged, lint } from "../nginx/site.cases.ts";

test("types of different names are fine", () => {
  assert.deepEqual(flagged("nginx-mime-duplicate", "types { a/b c; d/e f; }", "gzip_types a/b d/e;"), []);
});

test("an extension with two types, and a type that is there anyway", () => {
  const findings = lint("nginx-mime-duplicate", "types { a/b c;", "d/e c C; }", "gzip_types text/html;");
  assert.deepEqual(
    findings.map(({ title, places }) => [title, places.map(({ line }) => line)]),
    [
      ["c, C have a media type already", [6]],
      ["text/html is in the list already", [7]],
    ],
  );
});

test("many of them are one finding", () => {
  const types = "types { a/b c1 c2 c3 c4 c5 c6 c7; }";
  const [finding, ...more] = lint("nginx-mime-duplicate", types, types);
  assert.equal(finding?.title, "c1, c2, c3, c4, c5 and 2 more have a media type already");
  assert.deepEqual(more, []);
});

test("the rule about directives does not say it again", () => {
  assert.deepEqual(flagged("nginx-directives", "types { a/b c; d/e c; }"), []);
});
