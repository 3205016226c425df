import assert from "node:assert/strict";
import { test } from "node:test";
import { found, replace } from "../subject.cases.ts";

test("a weight that brings the priority below the partner's is fine, and weight 0 needs none", () => {
  assert.deepEqual(found("weight-too-small", {}), []);
  assert.deepEqual(found("weight-too-small", { both: replace("weight -20", "weight -11") }), []);
  assert.deepEqual(found("weight-too-small", { both: replace("weight -20", "weight 0") }), []);
});

test("a weight that leaves the priority above the partner's is an error with the weight that it takes", () => {
  const [finding] = found("weight-too-small", { both: replace("weight -20", "weight -5") });
  assert.equal(finding?.severity, "error");
  assert.match(finding?.why ?? "", /falls to 95, which is not below the other node's 90/);
  assert.match(finding?.fix ?? "", /^a weight of -11 or below on a/);
});

test("a weight that makes the priorities equal is too small: a backup obeys an equal, whatever its address", () => {
  const equal = replace("weight -20", "weight -10");
  assert.equal(found("weight-too-small", { both: equal }).length, 1);
  assert.equal(found("weight-too-small", { both: equal, a: replace(".133", ".135") }).length, 1);
});
