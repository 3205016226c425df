import assert from "node:assert/strict";
import { test } from "node:test";
import { found, liveOf } from "../subject.cases.ts";

test("the same version, or files that nobody runs, are fine", () => {
  assert.deepEqual(found("tandem-version-differs", {}), []);
  assert.deepEqual(found("tandem-version-differs", { live: liveOf({}) }), []);
});

test("another version is a warning with both", () => {
  const [finding] = found("tandem-version-differs", { live: liveOf({ peerVersion: "0.9.0" }) });
  assert.equal(finding?.severity, "warning");
  assert.equal(finding?.title, "a runs Tandem 1.0.0, b 0.9.0");
});
