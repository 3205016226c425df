import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { FlapDamping } from "../conf/keepalived/config.ts";
import { FAULT_LEVEL, type FlapState, heldBack, NEW_FLAPS, penaltyAt, stepFlaps } from "./flap-damping.ts";

const RULES: FlapDamping = { scope: "all", halfLifeMs: 60_000, suppress: 2000, reuse: 750, maxSuppressMs: 240_000 };
const S = 1000;

/** Levels at instants, in seconds. */
function play(steps: readonly (readonly [number, number])[], rules = RULES, from: FlapState = NEW_FLAPS): FlapState {
  return steps.reduce((state, [atS, level]) => stepFlaps(rules, state, level, atS * S), from);
}

test("the third fall within a half-life damps, two do not", () => {
  const two = play([
    [0, 0],
    [10, -30],
    [15, 0],
    [20, -30],
    [25, 0],
  ]);
  assert.equal(two.heldLevel, undefined);
  assert.equal(heldBack(two), 0);
  const three = play([[30, -30]], RULES, two);
  assert.equal(three.heldLevel, -30);
  assert.equal(Math.round(three.penalty), Math.round(1000 * (1 + 2 ** (-10 / 60) + 2 ** (-20 / 60))));
  assert.equal(heldBack(three), 0, "health itself says -30");
  assert.equal(heldBack(play([[31, 0]], RULES, three)), -30);
});

test("falls that are slower than a half-life never damp", () => {
  const steps: [number, number][] = [];
  for (let atS = 0; atS < 6000; atS += 62) steps.push([atS, -30], [atS + 30, 0]);
  assert.equal(play(steps).heldLevel, undefined);
});

test("one fall in many steps is one fall", () => {
  const state = play([
    [0, 0],
    [1, -8],
    [2, -15],
    [3, -23],
    [4, -30],
    [5, FAULT_LEVEL],
  ]);
  assert.equal(state.penalty, 1000);
  assert.equal(state.heldLevel, undefined);
});

test("a damped router is held at the lowest that it has been, until the penalty has sunk to reuse", () => {
  const damped = play([
    [0, 0],
    [1, -10],
    [2, 0],
    [3, -10],
    [4, 0],
    [5, -10],
    [6, -50],
    [7, 0],
  ]);
  assert.equal(damped.heldLevel, -50);
  assert.ok(Math.abs(penaltyAt(RULES, damped, damped.reuseMs) - RULES.reuse) < 0.01);
  assert.equal(stepFlaps(RULES, damped, 0, damped.reuseMs - 1).heldLevel, -50);
  assert.equal(stepFlaps(RULES, damped, 0, damped.reuseMs).heldLevel, undefined);
});

test("when the time is over and health is bad, the fall stays what health says and is not held", () => {
  const damped = play([
    [0, 0],
    [1, -10],
    [2, 0],
    [3, -10],
    [4, 0],
    [5, -10],
  ]);
  const over = stepFlaps(RULES, damped, -10, damped.reuseMs);
  assert.equal(over.heldLevel, undefined);
  assert.equal(heldBack(stepFlaps(RULES, over, 0, damped.reuseMs + 1)), 0);
});

test("however long it has flapped, nothing is held back for longer than max_suppress", () => {
  const steps: [number, number][] = [];
  for (let atS = 0; atS < 10_000; atS += 2) steps.push([atS, -30], [atS + 1, 0]);
  const state = play(steps);
  assert.equal(state.reuseMs - state.fellMs, RULES.maxSuppressMs);
});

/** Rules and a walk of levels, with times between looks. */
const WALKS = fc.record({
  rules: fc
    .record({
      halfLifeMs: fc.integer({ min: 1000, max: 600_000 }),
      suppress: fc.integer({ min: 1000, max: 20_000 }),
      below: fc.double({ min: 0.01, max: 0.99, noNaN: true }),
      maxSuppressMs: fc.integer({ min: 1000, max: 3_600_000 }),
    })
    .map(({ below, ...rest }): FlapDamping => ({ scope: "all", ...rest, reuse: rest.suppress * below })),
  looks: fc.array(
    fc.record({
      afterMs: fc.integer({ min: 0, max: 120_000 }),
      level: fc.oneof(fc.integer({ min: -254, max: 20 }), fc.constant(FAULT_LEVEL)),
    }),
    { maxLength: 60 },
  ),
});

test("a fall is never delayed, nothing is ever raised, and quiet ends it within max_suppress", () =>
  fc.assert(
    fc.property(WALKS, ({ rules, looks }) => {
      let state = NEW_FLAPS;
      let atMs = 0;
      for (const { afterMs, level } of looks) {
        atMs += afterMs;
        const before = state;
        state = stepFlaps(rules, before, level, atMs);
        const left = level + heldBack(state);
        assert.ok(left <= level, "raised");
        assert.ok(before.level === undefined || level >= before.level || left <= level, "a fall was delayed");
        assert.ok(state.heldLevel === undefined || state.heldLevel <= level);
        assert.ok(state.reuseMs - state.fellMs <= rules.maxSuppressMs + 1e-3, "longer than max_suppress");
      }
      state = stepFlaps(rules, state, 0, atMs);
      assert.equal(heldBack(stepFlaps(rules, state, 0, atMs + rules.maxSuppressMs + 1)), 0);
    }),
  ));
