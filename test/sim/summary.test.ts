import assert from "node:assert/strict";
import { test } from "node:test";
import { storyModules } from "./code.ts";
import { runSeed } from "./story.ts";
import { emptySummary, MAX_BROKEN, mergeSummaries, nextBlock, printSummary, seedsOf, summaryOf } from "./summary.ts";
import { tellSeeds } from "./tellers.ts";

const tell = (from: number, to: number) =>
  summaryOf(
    "code",
    Array.from({ length: to - from + 1 }, (_, i) => runSeed(from + i)),
    0,
  );

test("blocks add up to the same as all seeds at once, in whatever order they come", () => {
  const whole = tell(1, 12);
  const parts = [tell(9, 12), tell(1, 3), tell(4, 8)];
  const sum = parts.reduce(mergeSummaries, emptySummary("code"));
  assert.deepEqual({ ...sum, virtualMs: 0 }, { ...whole, virtualMs: 0 });
  assert.ok(Math.abs(sum.virtualMs - whole.virtualMs) < 0.001);
  assert.deepEqual(sum.ranges, [[1, 12]]);
  assert.equal(seedsOf(sum), 12);
});

test("a seed counts once, and stories of other code are others", () => {
  const block = tell(1, 3);
  assert.throws(() => mergeSummaries(block, tell(3, 4)), /seed 3 is in both/);
  assert.throws(() => mergeSummaries(block, { ...tell(4, 4), code: "another" }), /different code/);
});

test("a run goes on in the holes of the runs before", () => {
  const done = [
    [1, 10],
    [21, 30],
  ] as const;
  assert.deepEqual(nextBlock(done, 1, 100, 50), [11, 20]);
  assert.deepEqual(nextBlock(done, 21, 100, 50), [31, 80]);
  assert.deepEqual(nextBlock(done, 21, 33, 50), [31, 33]);
  assert.deepEqual(nextBlock(done, 5, 12, 50), [11, 12]);
  assert.equal(nextBlock(done, 22, 30, 50), undefined);
  assert.deepEqual(nextBlock([], 7, Number.POSITIVE_INFINITY, 5), [7, 11]);
});

test("of broken promises the lowest seeds are kept, and all are counted", () => {
  const broken = (seed: number) => ({ seed, virtualMs: 1, packets: 1, faults: [], violation: `of ${seed}` });
  const high = summaryOf("code", [101, 102].map(broken), 0);
  const low = summaryOf(
    "code",
    Array.from({ length: MAX_BROKEN }, (_, i) => broken(i + 1)),
    0,
  );
  const sum = mergeSummaries(high, low);
  assert.equal(sum.brokenCount, MAX_BROKEN + 2);
  assert.deepEqual(
    sum.broken.map(({ seed }) => seed),
    Array.from({ length: MAX_BROKEN }, (_, i) => i + 1),
  );
  assert.match(printSummary(sum), new RegExp(`^${MAX_BROKEN + 2} broken: 1 2 3 .* …$`, "m"));
});

test("processes tell what one would, and only what was not told yet", async () => {
  const summaries = [emptySummary("code")];
  await tellSeeds({
    from: 1,
    to: 120,
    done: [[11, 110]],
    jobs: 2,
    code: "code",
    isOver: () => false,
    onSummary: (block) => summaries.push({ ...block, cpuMs: 0 }),
  });
  const sum = summaries.reduce(mergeSummaries);
  const alone = mergeSummaries(tell(1, 10), tell(111, 120));
  assert.deepEqual(sum.ranges, alone.ranges);
  assert.deepEqual(sum.faults, alone.faults);
  assert.equal(sum.packets, alone.packets);
});

test("the code of a summary is what a story runs through, and nothing else", () => {
  const modules = [...storyModules().keys()];
  for (const file of ["src/vrrp/instance.js", "src/vrrp/handover.js", "src/bfd/session.js", "test/sim/world.js"])
    assert.ok(modules.includes(file), file);
  assert.deepEqual(
    modules.filter((file) => /\.(test|fuzz)\.js$|^src\/(http|net|os|cli|lab)\//.test(file)),
    [],
  );
  assert.deepEqual(modules, modules.toSorted());
});
