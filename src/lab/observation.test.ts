import assert from "node:assert/strict";
import { test } from "node:test";
import { type Attempt, bothHeldMs, clientView, joinViews } from "./observation.ts";

function answered(...endsMs: number[]): Attempt[] {
  return endsMs.map((endMs) => ({ startMs: endMs - 1, endMs, node: "a" as const, failure: undefined }));
}

function failed(startMs: number, failure: string): Attempt {
  return { startMs, endMs: startMs + 200, node: undefined, failure };
}

/** Attempts every 10 ms in a span, each answered after 1 ms, or failed when it begins in `outage`. */
function asking(fromMs: number, toMs: number, outage: readonly [number, number] = [0, 0]): Attempt[] {
  const attempts: Attempt[] = [];
  for (let startMs = fromMs; startMs < toMs; startMs += 10)
    attempts.push(
      startMs >= outage[0] && startMs < outage[1] ? failed(startMs, "TIMEOUT") : (answered(startMs + 1)[0] as Attempt),
    );
  return attempts;
}

test("the gap is the longest time between two answers", () => {
  const view = clientView(asking(0, 1000, [200, 900]), 5, 1000);
  assert.equal(view.gapMs, 710);
  assert.equal(view.open, false);
  assert.deepEqual(view.failures, { TIMEOUT: 70 });
  assert.equal(view.failed, 70);
  assert.equal(view.attempts, 99);
});

test("an outage that lasts until the end is told as open", () => {
  const view = clientView(asking(0, 2000, [30, 3000]), 0, 2000);
  assert.equal(view.gapMs, 1979);
  assert.equal(view.open, true);
});

test("no answer at all is a gap of the whole span", () => {
  assert.equal(clientView([], 0, 1000).gapMs, 1000);
});

test("attempts outside the span do not count", () => {
  const view = clientView([failed(0, "TIMEOUT"), ...answered(110, 120, 130), failed(140, "TIMEOUT")], 100, 135);
  assert.equal(view.failed, 0);
  assert.equal(view.gapMs, 10);
});

test("answers count in the order in which they came, not in the order of the attempts", () => {
  assert.equal(clientView(answered(10, 30, 20, 40), 5, 40).gapMs, 10);
});

test("a time in which the client itself did not run is no gap", () => {
  const view = clientView([...asking(0, 500), ...asking(800, 1000)], 0, 1000);
  assert.ok(view.gapMs < 25, `${view.gapMs}`);
});

test("both nodes hold the address from the second claim to the first release", () => {
  const events = [
    { node: "a", held: true, atMs: 0 },
    { node: "b", held: true, atMs: 100 },
    { node: "a", held: false, atMs: 150 },
    { node: "a", held: true, atMs: 300 },
  ] as const;
  assert.equal(bothHeldMs(events, 50, 250), 50);
  assert.equal(bothHeldMs(events, 120, 250), 30);
  assert.equal(bothHeldMs(events, 50, 400), 150);
  assert.equal(bothHeldMs(events, 160, 290), 0);
});

test("of several clients the one that has waited longest counts, and the failures of all", () => {
  const calm = clientView(asking(0, 1000), 0, 1000);
  const cut = clientView(
    [...asking(0, 300), failed(310, "TIMEOUT"), ...asking(600, 1000), failed(1010, "EOF")],
    0,
    1020,
  );
  const both = joinViews([calm, cut]);
  assert.equal(both.gapMs, cut.gapMs);
  assert.deepEqual(both.failures, { TIMEOUT: 1, EOF: 1 });
  assert.equal(both.attempts, calm.attempts + cut.attempts);
  assert.equal(joinViews([cut, calm]).open, cut.open);
});
