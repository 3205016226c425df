import assert from "node:assert/strict";
import { test } from "node:test";
import { found, replace } from "../subject.cases.ts";

test("different priorities are fine", () => assert.deepEqual(found("priority-equal", {}), []));

test("equal priorities are a warning, two owners an error", () => {
  assert.equal(found("priority-equal", { b: replace("priority 90", "priority 100") })[0]?.severity, "warning");
  const owner = (text: string): string => text.replace(/priority \d+/, "priority 255");
  assert.equal(found("priority-equal", { both: owner })[0]?.severity, "error");
});
