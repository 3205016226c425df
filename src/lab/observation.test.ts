import assert from "node:assert/strict";
import { test } from "node:test";
import { type Attempt, bothHeldMs, clientView } from "./observation.ts";

function answered(...endsMs: number[]): Attempt[] {
  return endsMs.map((endMs) => ({ startMs: endMs - 1, endMs, node: "a" as const, failure: undefined }));
}

function failed(startMs: number, failure: string): Attempt {
  return { startMs, endMs: startMs + 200, node: undefined, failure };
}

test("the gap is the longest time between two answers", () => {
  const view = clientView([...answered(10, 20, 30), failed(40, "TIMEOUT"), ...answered(730, 740)], 5, 750);
  assert.equal(view.gapMs, 700);
  assert.equal(view.open, false);
  assert.deepEqual(view.failures, { TIMEOUT: 1 });
  assert.equal(view.attempts, 6);
});

test("an outage that lasts until the end is told as open", () => {
  const view = clientView([...answered(10, 20), failed(30, "ECONNREFUSED")], 5, 2020);
  assert.equal(view.gapMs, 2000);
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
