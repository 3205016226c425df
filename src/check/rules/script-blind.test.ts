import assert from "node:assert/strict";
import { test } from "node:test";
import { found } from "../subject.cases.ts";

test("a check that notices is fine, one that stops keepalived is too, and one of something else is not judged", () => {
  assert.deepEqual(found("script-blind", {}), []);
  assert.deepEqual(found("script-blind", { script: "#!/bin/sh\npidof nginx || systemctl stop keepalived\n" }), []);
  assert.deepEqual(found("script-blind", { script: "#!/bin/sh\ntrue\n" }), []);
});

test("a check that ends with success whatever happens is an error", () => {
  const [finding] = found("script-blind", { script: "#!/bin/sh\npidof nginx || systemctl start nginx\nexit 0\n" });
  assert.equal(finding?.severity, "error");
  assert.match(finding?.fix ?? "", /exit 1/);
});
