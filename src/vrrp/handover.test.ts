import assert from "node:assert/strict";
import { test } from "node:test";
import {
  accept,
  COUNT_MS,
  type HandoverInput,
  type HandoverState,
  type HandoverStep,
  nextAlarmMs,
  offer,
  READY_MS,
  STRAY_MS,
  stepHandover,
  TAKE_MS,
} from "./handover.ts";

const LIMIT_MS = 60_000;
const order = (step: string, atMs = 1, value = 0, reason = ""): HandoverInput =>
  ({ kind: "order", atMs, step, value, reason }) as HandoverInput;

/** Effects as words: `send take`, `keep`, `settle true`. */
function words({ effects }: HandoverStep): string[] {
  return effects.map((effect) => {
    if (effect.kind === "send") return `send ${effect.step}`;
    if (effect.kind === "settle") return `settle ${effect.isMoved}`;
    return effect.kind;
  });
}

function after(state: HandoverState | undefined, ...inputs: HandoverInput[]): HandoverState {
  let now = state;
  for (const input of inputs) {
    assert.ok(now, "it is not over yet");
    now = stepHandover(now, input).state;
  }
  assert.ok(now, "it is not over");
  return now;
}

const offered = offer(1, LIMIT_MS, 0).state as HandoverState;
const ordered = after(offered, order("ready", 1, 90));
const draining = after(ordered, { kind: "left", atMs: 2, toAnother: false });
const ready = accept({ id: 1, value: LIMIT_MS }, 90, "", 0).state as HandoverState;
const detouring = after(ready, order("take"));

test("the giver offers, keeps, orders, drains and closes", () => {
  assert.deepEqual(words(offer(1, LIMIT_MS, 0)), ["send offer"]);
  const told = stepHandover(offered, order("ready", 1, 90));
  assert.deepEqual(words(told), ["keep", "send take", "standBack"]);
  assert.equal(told.state?.priority, 90);
  assert.deepEqual(words(stepHandover(ordered, order("taken"))), ["yield"]);
  assert.deepEqual(words(stepHandover(ordered, { kind: "left", atMs: 2, toAnother: false })), ["settle true", "count"]);
  const closed = stepHandover(draining, { kind: "connections", atMs: 2 + STRAY_MS, count: 0 });
  assert.deepEqual(words(closed), ["log", "letGo", "send done"]);
  assert.equal(stepHandover(closed.state as HandoverState, order("closed")).state, undefined);
});

test("the taker makes ready, takes and sends on until it is done", () => {
  assert.deepEqual(words(accept({ id: 1, value: LIMIT_MS }, 90, "", 0)), ["send ready"]);
  assert.deepEqual(words(stepHandover(ready, order("take"))), ["standUp", "take", "send taken"]);
  const done = stepHandover(detouring, order("done"));
  assert.deepEqual(words(done), ["endDetour", "send closed"]);
  assert.equal(done.state, undefined);
});

test("every order is repeated until it is answered, and every answer as often as it is asked for", () => {
  let state: HandoverState | undefined = offered;
  const sent: string[] = [];
  while (state !== undefined && state.phase === "offered") {
    const next: HandoverStep = stepHandover(state, { kind: "alarm", atMs: nextAlarmMs(state) });
    sent.push(...words(next));
    state = next.state;
  }
  assert.deepEqual(sent, [...new Array(9).fill("send offer"), "send refuse", "settle false"]);
  assert.equal(state, undefined);
  assert.deepEqual(words(stepHandover(ready, order("offer"))), ["send ready"]);
  assert.deepEqual(words(stepHandover(detouring, order("take"))), ["send taken"]);
});

test("a partner that is ready and does not take leaves everything as it was, on both sides", () => {
  const late = stepHandover(ordered, { kind: "alarm", atMs: 1 + TAKE_MS });
  assert.deepEqual(words(late), ["send refuse", "standUp", "letGo", "settle false"]);
  assert.equal(late.state, undefined);
  for (const end of [order("refuse"), { kind: "alarm", atMs: READY_MS } as const, { kind: "lost", atMs: 1 } as const]) {
    const over = stepHandover(ready, end);
    assert.deepEqual(words(over), ["endDetour"], JSON.stringify(end));
    assert.equal(over.state, undefined);
  }
});

test("a refusal, a partner that is gone and a fault before the order end the offer", () => {
  for (const input of [
    order("refuse", 1, 0, "it is in fault"),
    { kind: "lost", atMs: 1 } as const,
    { kind: "left", atMs: 1, toAnother: false } as const,
    { kind: "stop", atMs: 1 } as const,
  ]) {
    const over = stepHandover(offered, input);
    assert.equal(over.state, undefined, JSON.stringify(input));
    assert.ok(words(over).includes("settle false"));
    assert.ok(!words(over).includes("keep"));
  }
});

test("connections are counted until none is left or the limit is over, and not before late ones can have come", () => {
  const early = stepHandover(draining, { kind: "connections", atMs: 100, count: 0 });
  assert.equal(early.state?.phase, "draining");
  assert.deepEqual(words(stepHandover(draining, { kind: "alarm", atMs: 2 + COUNT_MS })), ["count"]);
  const some = after(draining, { kind: "connections", atMs: 3000, count: 7 });
  assert.equal(some.left, 7);
  const end = stepHandover(some, { kind: "alarm", atMs: 2 + LIMIT_MS });
  assert.deepEqual(words(end), ["log", "letGo", "send done"]);
  assert.match(JSON.stringify(end.effects), /the limit is over, 7 connections are cut off/);
});

test("without a limit nothing is waited for", () => {
  const now = after(offer(1, 0, 0).state, order("ready", 1, 90), { kind: "left", atMs: 2, toAnother: false });
  const closing = stepHandover(now, { kind: "alarm", atMs: nextAlarmMs(now) });
  assert.equal(nextAlarmMs(now), 2);
  assert.equal(closing.state?.phase, "closing");
});

test("an old owner that becomes active again lets go of the loopback; the other one's detour is not ended for that", () => {
  const again = stepHandover(draining, { kind: "active", atMs: 5 });
  assert.deepEqual(words(again), ["letGo"]);
  assert.equal(again.state, undefined);
});

test("a detour outlives the address by a moment for what is under way, unless a third node relies on it", () => {
  const left = after(detouring, { kind: "left", atMs: 1000, toAnother: false });
  assert.equal(left.deadlineMs, 1000 + STRAY_MS);
  assert.deepEqual(words(stepHandover(left, { kind: "alarm", atMs: 1000 + STRAY_MS })), ["endDetour"]);
  assert.equal(after(detouring, { kind: "left", atMs: 1000, toAnother: true }).deadlineMs, detouring.deadlineMs);
  // The old owner, which has it again, says at once that it keeps nothing.
  const unkept = after(detouring, { kind: "notKept", atMs: 9000 }, { kind: "left", atMs: 9100, toAnother: false });
  assert.equal(unkept.deadlineMs, 9000 + STRAY_MS);
});

test("a detour ends without an order when its giver is gone or it is long over its limit", () => {
  for (const input of [
    { kind: "lost", atMs: 1000 },
    { kind: "alarm", atMs: detouring.deadlineMs },
    { kind: "stop", atMs: 1000 },
  ] as const) {
    const over = stepHandover(detouring, input);
    assert.deepEqual(words(over), ["endDetour"], input.kind);
    assert.equal(over.state, undefined);
  }
  assert.equal(after(detouring, { kind: "notKept", atMs: 1500 }), detouring, "the hello may be older than the take");
});

test("VRRP may be faster than the order, and the hand-over goes on", () => {
  const taken = stepHandover(ready, { kind: "active", atMs: 1 });
  assert.equal(taken.state?.phase, "detouring");
  assert.deepEqual(words(taken), ["standUp", "send taken"]);
});
