import assert from "node:assert/strict";
import { test } from "node:test";
import { monotonicClock, TimerfdAlarm } from "./timer.ts";

test("an alarm rings once, and never before its instant by the clock that it belongs to", async () => {
  const clock = monotonicClock();
  for (let i = 0; i < 30; i++) {
    const at = clock.now() + 0.3 + i / 7;
    const rang = await new Promise<number>((resolve) => {
      const alarm = new TimerfdAlarm(() => {
        resolve(clock.now());
        alarm.close();
      });
      alarm.arm(at);
    });
    assert.ok(rang >= at, `${rang} is before ${at}`);
  }
});

test("an alarm can be moved and disarmed, and an instant that has passed rings at once", async () => {
  const clock = monotonicClock();
  let rings = 0;
  const alarm = new TimerfdAlarm(() => rings++);
  alarm.arm(clock.now() + 10);
  alarm.arm(clock.now() + 60_000);
  await new Promise((resolve) => setTimeout(resolve, 40));
  assert.equal(rings, 0);
  alarm.arm(clock.now() - 5);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(rings, 1);
  alarm.arm(clock.now() + 10);
  alarm.disarm();
  await new Promise((resolve) => setTimeout(resolve, 40));
  assert.equal(rings, 1);
  alarm.close();
});
