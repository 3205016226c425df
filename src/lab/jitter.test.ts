import assert from "node:assert/strict";
import { test } from "node:test";
import { jitterOf, printJitter } from "./jitter.ts";

test("deviations count in both directions, and the longest interval is told", () => {
  const jitter = jitterOf([0, 10, 21, 30, 40, 55], 10);
  assert.ok(jitter);
  assert.deepEqual(jitter, { intervals: 5, medianMs: 1, p99Ms: 5, longestMs: 15 });
  assert.equal(printJitter(jitter), "6 adverts, off by 1.00 ms (median) and 5.00 ms (p99), longest interval 15.0 ms");
});

test("one advert has no interval", () => {
  assert.equal(jitterOf([5], 10), undefined);
});
