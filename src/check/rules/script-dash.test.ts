import assert from "node:assert/strict";
import { test } from "node:test";
import { found, GOOD_SCRIPT } from "../subject.cases.ts";

test("a good script has no false dash, not even in a text", () => {
  assert.deepEqual(found("script-dash", {}), []);
  assert.deepEqual(found("script-dash", { script: `${GOOD_SCRIPT}logger "nginx – dead"\n` }), []);
});

test("an en dash in front of an option is found with its place, once for both nodes", () => {
  const [finding, ...more] = found("script-dash", { script: "#!/bin/sh\nps -C nginx –no-header | wc -l\n" });
  assert.deepEqual(more, []);
  assert.equal(finding?.severity, "error");
  assert.match(finding?.title ?? "", /en dash/);
  assert.equal(finding?.fix, "write --no-header with two plain minus signs");
  const [place] = finding?.places ?? [];
  assert.deepEqual([place?.file, place?.line, place?.column], ["/etc/keepalived/check.sh", 2, 13]);
});
