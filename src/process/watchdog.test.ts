import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { beatIntervalMs, hangBoundMs, LoopWatch, Watchdog } from "./watchdog.ts";

test("the bound follows the advert interval, but never below what a busy machine needs", () => {
  assert.equal(hangBoundMs(1000), 2000);
  assert.equal(hangBoundMs(10), 500);
  assert.equal(beatIntervalMs(2000), 400);
});

test("silence longer than the bound is a hang", () => {
  const dog = new Watchdog(1000, 0);
  for (let now = 200; now <= 1000; now += 200) assert.equal(dog.isHung(now), false);
  assert.equal(dog.isHung(1200), true);
});

test("a beat starts the bound again", () => {
  const dog = new Watchdog(1000, 0);
  for (let now = 200; now <= 5000; now += 200) {
    dog.beat(now - 10);
    assert.equal(dog.isHung(now), false);
  }
});

test("a supervisor that was suspended itself gives the process another bound", () => {
  const dog = new Watchdog(1000, 0);
  assert.equal(dog.isHung(200), false);
  assert.equal(dog.isHung(9000), false, "both were asleep");
  for (let now = 9200; now <= 10_000; now += 200) assert.equal(dog.isHung(now), false);
  assert.equal(dog.isHung(10_200), true);
});

test("what takes its time is allowed to, until it is done or the time is over", () => {
  const dog = new Watchdog(1000, 0);
  dog.allow(5000, 0);
  for (let now = 200; now <= 5000; now += 200) assert.equal(dog.isHung(now), false);
  assert.equal(dog.isHung(5200), true);
  dog.allow(5000, 5200);
  assert.equal(dog.isHung(5400), false);
  dog.settle(5500);
  for (let now = 5600; now <= 6400; now += 200) assert.equal(dog.isHung(now), false);
  assert.equal(dog.isHung(6600), true, "the usual bound is in force again");
});

test("a process that beats in shared memory is heard there; what it was silent for is told once", async () => {
  let beats = 0;
  const silences: number[] = [];
  const watch = new LoopWatch(
    100,
    (silentMs) => silences.push(silentMs),
    () => beats,
  );
  const other = new LoopWatch(100, () => {});
  const heart = setInterval(() => beats++, 20);
  try {
    await sleep(400);
    assert.deepEqual(silences, []);
    clearInterval(heart);
    other.close();
    await sleep(400);
    assert.deepEqual(silences, [100]);
  } finally {
    clearInterval(heart);
    watch.close();
    other.close();
  }
});
