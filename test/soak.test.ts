/** The soak program itself, for some seconds: the traffic succeeds, and when it has gone nothing of it is left. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { slopeOf } from "./soak/slope.ts";
import { soak } from "./soak/soak.ts";
import { KINDS } from "./soak/traffic.ts";

test("mixed traffic of all kinds succeeds and leaves no descriptor behind", { timeout: 60_000 }, async () => {
  const options = { seconds: 4, warmUpSeconds: 0, sampleSeconds: 1, clientsOfAKind: 1, pauseMs: 2 };
  const heaps: number[] = [];
  const result = await soak(options, ({ heapKb }) => heaps.push(heapKb));
  assert.deepEqual(result.failures, []);
  assert.deepEqual(result.alarms, []);
  assert.equal(result.workerSurvived, true);
  assert.deepEqual([...result.counts.keys()].sort(), Object.keys(KINDS).sort());
  assert.equal(result.descriptorsAfter, result.descriptorsBefore);
  assert.ok(
    heaps.some((kb) => kb > 1000),
    `the heap was recorded: ${heaps}`,
  );
});

test("a slope is that of the line through the points, with its error", () => {
  const { slope, error } = slopeOf([
    [0, 1],
    [1, 3],
    [2, 5],
  ]);
  assert.ok(Math.abs(slope - 2) < 1e-9 && error < 1e-9);
  const noisy = slopeOf([0, 1, 2, 3, 4, 5].map((x) => [x, x % 2 === 0 ? 1 : -1]));
  assert.ok(Math.abs(noisy.slope) < 3 * noisy.error);
});
