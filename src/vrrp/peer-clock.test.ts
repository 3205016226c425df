import assert from "node:assert/strict";
import { test } from "node:test";
import { clockOf, hearTime, NEW_CLOCK, type PeerClock, tellTime } from "./peer-clock.ts";

/** Two nodes say hello once a second; b's clock is `offsetMs` ahead. What a knows of it afterwards. */
function exchange(offsetMs: number, delayMs: (i: number) => number, hellos = 10): PeerClock {
  let a = NEW_CLOCK;
  let b = NEW_CLOCK;
  const wall = 1_700_000_000_000;
  for (let i = 0; i < hellos; i++) {
    const atMs = 1000 * i;
    const fromA = tellTime(a, atMs, wall + atMs);
    const there = atMs + delayMs(2 * i);
    b = hearTime(b, fromA, there, wall + there + offsetMs);
    const later = there + 400;
    const fromB = tellTime(b, later, wall + later + offsetMs);
    const back = later + delayMs(2 * i + 1);
    a = hearTime(a, fromB, back, wall + back);
  }
  return a;
}

test("the offset of the other clock is what it is, when both ways take as long", () => {
  for (const offsetMs of [0, 250, -90_000]) {
    const clock = clockOf(exchange(offsetMs, () => 0.5));
    assert.equal(clock?.offsetMs, offsetMs);
    assert.equal(clock?.roundTripMs, 1);
  }
});

test("the error is at most half of the shortest round trip, however unequal the ways are", () => {
  const clock = clockOf(exchange(100, (i) => (i % 2 === 0 ? 1 + (i % 7) * 20 : 3 + (i % 5) * 30)));
  assert.ok(clock !== undefined);
  assert.ok(clock.roundTripMs <= 30);
  assert.ok(Math.abs(clock.offsetMs - 100) <= clock.roundTripMs / 2);
});

test("nothing is known before a hello has been echoed, and a way that takes too long tells nothing", () => {
  assert.equal(clockOf(NEW_CLOCK), undefined);
  assert.deepEqual(tellTime(NEW_CLOCK, 5, 7), { sentMs: 7, echoMs: 0, heldMs: 0 });
  assert.equal(clockOf(exchange(0, () => 700)), undefined);
});

test("a clock that is set is followed within a quarter of a minute", () => {
  let clock = exchange(0, () => 0.5);
  for (let i = 0; i < 16; i++) clock = hearTime(clock, { sentMs: 5000, echoMs: 100, heldMs: 10 }, 0, 120);
  assert.equal(clockOf(clock)?.offsetMs, 4885);
});
