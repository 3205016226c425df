import assert from "node:assert/strict";
import { test } from "node:test";
import { found, replace } from "../subject.cases.ts";

test("one version is fine", () => assert.deepEqual(found("version-differs", {}), []));

test("two versions are an error", () => {
  assert.equal(found("version-differs", { b: replace("state", "version 3\nstate") })[0]?.severity, "error");
});
