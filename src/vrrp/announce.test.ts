import assert from "node:assert/strict";
import { test } from "node:test";
import { Announcer, type Pace } from "./announce.ts";
import { exampleInstance } from "./example.ts";

const settings = exampleInstance().announce;
const noPause = () => 0;

/** Every message until `endMs`, as `time:address`. */
function run(
  announcer: Announcer,
  endMs: number,
  addresses = 1,
  spacing: (index: number) => number = noPause,
): string[] {
  let readyMs = Number.NEGATIVE_INFINITY;
  const pace: Pace = {
    readyMs: () => readyMs,
    sent: (index, nowMs) => {
      if (spacing(index) > 0) readyMs = nowMs + spacing(index);
    },
  };
  const sent: string[] = [];
  for (;;) {
    const next = announcer.nextMs;
    if (next === undefined || next > endMs) return sent;
    for (const index of announcer.due(next, addresses, pace)) sent.push(`${next}:${index}`);
  }
}

test("a take-over is announced five times, and five times again five seconds later", () => {
  const announcer = new Announcer(settings, 0);
  announcer.plan("takeover", 100);
  assert.deepEqual(run(announcer, 60_000), [...Array(5).fill("100:0"), ...Array(5).fill("5100:0")]);
});

test("addresses take turns within a burst", () => {
  const announcer = new Announcer({ ...settings, repeat: 2, delayMs: 0 }, 0);
  announcer.plan("takeover", 0);
  assert.deepEqual(run(announcer, 60_000, 2), ["0:0", "0:1", "0:0", "0:1"]);
});

test("spacing holds messages apart", () => {
  const announcer = new Announcer({ ...settings, repeat: 2, delayMs: 0 }, 0);
  announcer.plan("takeover", 0);
  assert.deepEqual(
    run(announcer, 60_000, 2, () => 10),
    ["0:0", "10:1", "20:0", "30:1"],
  );
});

test("a refresh repeats for as long as the router is active", () => {
  const announcer = new Announcer({ ...settings, repeat: 1, delayMs: 0, refreshMs: 1000, refreshRepeat: 2 }, 0);
  announcer.plan("takeover", 0);
  assert.deepEqual(run(announcer, 2000), ["0:0", "1000:0", "1000:0", "2000:0", "2000:0"]);
  announcer.cancel();
  assert.equal(announcer.nextMs, undefined);
});

test("a rival is answered even with garp_lower_prio_repeat 0, but not more often than every half second", () => {
  const announcer = new Announcer({ ...settings, lowerPriorityRepeat: 0, lowerPriorityDelayMs: 0 }, 0);
  const sent: string[] = [];
  for (let at = 0; at <= 1000; at += 10) {
    announcer.plan("rival", at);
    sent.push(...run(announcer, at));
  }
  assert.ok(sent.length >= 1 && sent.length <= 3, sent.join(" "));
});

test("the burst that a storm of rivals has held back is sent when the storm is over", () => {
  const announcer = new Announcer({ ...settings, lowerPriorityRepeat: 1, lowerPriorityDelayMs: 0 }, 0);
  announcer.plan("rival", 0);
  assert.deepEqual(run(announcer, 0), ["0:0"]);
  for (const at of [10, 20, 30]) announcer.plan("rival", at);
  assert.deepEqual(run(announcer, 60_000), ["500:0"]);
});

test("after a gap a rival gets a moment to object before clients are called", () => {
  const announcer = new Announcer({ ...settings, repeat: 1, delayMs: 0 }, 0);
  announcer.plan("gap", 0);
  assert.deepEqual(run(announcer, 60_000), ["50:0"]);
});

test("without a configured refresh one message per address goes out every ten seconds", () => {
  const announcer = new Announcer({ ...settings, repeat: 1, delayMs: 0 }, 10_000);
  announcer.plan("takeover", 0);
  assert.deepEqual(run(announcer, 20_000, 2), ["0:0", "0:1", "10000:0", "10000:1", "20000:0", "20000:1"]);
  assert.equal(announcer.begins(30_000), false, "not worth a line in the log");
});
