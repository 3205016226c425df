import assert from "node:assert/strict";
import { test } from "node:test";
import { found, replace } from "../subject.cases.ts";

test("priorities below 255 are fine", () => assert.deepEqual(found("priority-owner", {}), []));

test("255 is a warning, also when it comes from state MASTER without a priority", () => {
  assert.equal(found("priority-owner", { a: replace("priority 100", "priority 255") })[0]?.severity, "warning");
  const [finding] = found("priority-owner", {
    a: (text) => text.replace("priority 100", "").replace("BACKUP", "MASTER"),
  });
  assert.match(finding?.title ?? "", /"state MASTER" without a priority means 255/);
});
