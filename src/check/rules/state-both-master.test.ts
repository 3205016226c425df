import assert from "node:assert/strict";
import { test } from "node:test";
import { found, replace } from "../subject.cases.ts";

test("one MASTER is fine", () => assert.deepEqual(found("state-both-master", { a: replace("BACKUP", "MASTER") }), []));

test("MASTER on both is a warning", () => {
  assert.equal(found("state-both-master", { both: replace("BACKUP", "MASTER") })[0]?.severity, "warning");
});
