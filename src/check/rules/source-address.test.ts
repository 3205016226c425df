import assert from "node:assert/strict";
import { test } from "node:test";
import { found, replace } from "../subject.cases.ts";

test("each node its own address is fine", () => assert.deepEqual(found("source-address", {}), []));

test("the same address on both is an error", () => {
  assert.equal(found("source-address", { b: replace("192.168.50.134", "192.168.50.133") })[0]?.severity, "error");
});
