import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { TICK_MS, Timer, Timers } from "./timers.ts";

/** A clock that is moved by hand and rings the alarm as a reactor does. */
class FakeTime {
  nowMs = 12_345.6;
  alarmAt = Number.POSITIVE_INFINITY;
  alarms = 0;
  private ringAlarm: () => void = () => {};
  readonly timers = new Timers({ now: () => this.nowMs, wall: () => 0 }, (ring) => {
    this.ringAlarm = ring;
    return {
      arm: (atMs) => {
        this.alarmAt = atMs;
      },
      disarm: () => {
        this.alarmAt = Number.POSITIVE_INFINITY;
      },
    };
  });

  advance(ms: number, jump = false): void {
    const until = this.nowMs + ms;
    while (this.alarmAt <= until) {
      this.nowMs = jump ? until : Math.max(this.nowMs, this.alarmAt);
      this.alarmAt = Number.POSITIVE_INFINITY;
      this.alarms++;
      this.ringAlarm();
    }
    this.nowMs = until;
  }
}

test("a timer rings once, at its time or up to a tick later", () => {
  const time = new FakeTime();
  const start = time.nowMs;
  const rings: number[] = [];
  const timer = new Timer(() => rings.push(time.nowMs - start));
  time.timers.arm(timer, 100);
  time.advance(99);
  assert.equal(rings.length, 0);
  time.advance(1000);
  assert.equal(rings.length, 1);
  assert.ok(
    rings.every((ms) => ms >= 100 && ms <= 100 + TICK_MS),
    String(rings),
  );
  assert.equal(time.timers.size, 0);
});

test("a timer that is moved further rings at the later time, and one that is moved nearer at the earlier", () => {
  const time = new FakeTime();
  let rings = 0;
  const timer = new Timer(() => rings++);
  time.timers.arm(timer, 100);
  time.advance(90);
  time.timers.arm(timer, 100);
  time.advance(90);
  assert.equal(rings, 0);
  time.timers.arm(timer, 30);
  time.advance(45);
  assert.equal(rings, 1);
});

test("a stopped timer does not ring, and the wheel comes to rest", () => {
  const time = new FakeTime();
  const timer = new Timer(() => assert.fail("rang"));
  time.timers.arm(timer, 50);
  timer.stopTimer();
  time.advance(500);
  assert.equal(time.timers.size, 0);
  assert.equal(time.alarmAt, Number.POSITIVE_INFINITY);
  time.timers.arm(timer, 50);
  time.timers.discard(timer);
  assert.equal(time.timers.size, 0);
});

test("moving a timer away a thousand times costs no alarm", () => {
  const time = new FakeTime();
  const timer = new Timer(() => {});
  for (let i = 0; i < 1000; i++) time.timers.arm(timer, 60_000);
  time.advance(30_000);
  assert.ok(time.alarms < 5, String(time.alarms));
});

test("callbacks may arm, stop and discard other timers and their own", () => {
  const time = new FakeTime();
  const rung: string[] = [];
  const victim = new Timer(() => rung.push("victim"));
  const again: Timer = new Timer(() => {
    rung.push("again");
    time.timers.discard(victim);
    if (rung.length < 3) time.timers.arm(again, 20);
  });
  const first = new Timer(() => rung.push("first"));
  time.timers.arm(victim, 20);
  time.timers.arm(first, 20);
  time.timers.arm(again, 20);
  time.advance(200);
  assert.equal(rung.filter((name) => name === "victim").length <= 1, true);
  assert.ok(rung.filter((name) => name === "again").length >= 1);
  assert.equal(time.timers.size, 0);
});

test("a callback moves another timer that is due in the same turn, and no timer is lost by that", () => {
  const time = new FakeTime();
  const rung: string[] = [];
  const named = (name: string, callback: () => void = () => {}): Timer =>
    new Timer(() => {
      rung.push(name);
      callback();
    });
  const moved = named("moved");
  const neighbour = named("neighbour");
  const mover = named("mover", () => time.timers.arm(moved, 50));
  // In the slot that the moved timer comes to.
  time.timers.arm(neighbour, 70);
  for (const timer of [mover, moved, named("behind")]) time.timers.arm(timer, 20);
  time.advance(40);
  assert.deepEqual(rung, ["mover", "behind"]);
  time.advance(100);
  assert.deepEqual([...rung].sort(), ["behind", "moved", "mover", "neighbour"]);
  assert.equal(time.timers.size, 0);
});

test("every timer rings in its time, whatever the delays and the sleeps", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 0, max: 40_000 }), fc.integer({ min: 0, max: 40_000 })), { maxLength: 20 }),
      fc.array(fc.tuple(fc.integer({ min: 1, max: 20_000 }), fc.boolean()), { maxLength: 10 }),
      (delays, steps) => {
        const time = new FakeTime();
        const due = new Map<Timer, number>();
        for (const [first, second] of delays) {
          const timer: Timer = new Timer(() => {
            assert.ok(time.nowMs >= (due.get(timer) as number), "early");
            due.delete(timer);
          });
          time.timers.arm(timer, first);
          time.timers.arm(timer, second);
          due.set(timer, time.nowMs + second);
        }
        for (const [ms, jump] of [...steps, [100_000, false] as const]) {
          time.advance(ms, jump);
          for (const deadline of due.values()) assert.ok(deadline + TICK_MS > time.nowMs, "late");
        }
        assert.equal(due.size, 0);
      },
    ),
  );
});
