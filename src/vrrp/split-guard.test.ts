import assert from "node:assert/strict";
import { test } from "node:test";
import {
  addressAnswered,
  type GuardRules,
  mayTake,
  NEW_GUARD,
  PROBE_MS,
  rightUntilMs,
  type TakeFacts,
  whyDoubt,
  whyNot,
} from "./split-guard.ts";

const rules: GuardRules = { validMs: 3000, hasGateway: true, witness: "reachable" };
const lease: GuardRules = { ...rules, hasGateway: false, witness: "exclusive" };
const sure = { ...NEW_GUARD, gatewayMs: 99_000, witnessMs: 98_000 };
const facts: TakeFacts = {
  nowMs: 20_000,
  heardMs: 10_000,
  downMs: 3600,
  hasLeft: false,
  isPreempting: false,
  activePartnerMs: Number.NEGATIVE_INFINITY,
};

test("everything that is configured has to answer, or a partner; a lease is replaced by nothing", () => {
  assert.equal(rightUntilMs(rules, sure), 98_000);
  assert.equal(rightUntilMs(rules, { ...sure, gatewayMs: 5 }), 5);
  assert.equal(rightUntilMs(rules, { ...NEW_GUARD, partnerMs: 7000 }), 7000);
  assert.equal(rightUntilMs(lease, { ...NEW_GUARD, partnerMs: 7000 }), Number.NEGATIVE_INFINITY);
  assert.equal(rightUntilMs(lease, { ...NEW_GUARD, graceMs: 9 }), 9);
});

test("a backup asks for other owners, waits for an answer, and takes over", () => {
  assert.deepEqual(mayTake(rules, sure, facts), { kind: "probe", untilMs: 20_000 + PROBE_MS });
  const asked = { ...sure, probedMs: 20_000 };
  const wait = mayTake(rules, asked, { ...facts, nowMs: 20_001 });
  assert.deepEqual([wait.kind, wait.kind === "wait" && wait.untilMs], ["wait", 20_000 + PROBE_MS]);
  assert.deepEqual(mayTake(rules, asked, { ...facts, nowMs: 20_000 + PROBE_MS }), { kind: "take" });
  assert.equal(mayTake(rules, asked, { ...facts, nowMs: 30_000 }).kind, "probe", "old answers do not count");
});

test("it waits for the right of the other one to end, unless that has left", () => {
  const verdict = mayTake(rules, sure, { ...facts, heardMs: 15_000 });
  assert.deepEqual([verdict.kind, verdict.kind === "wait" && verdict.untilMs], ["wait", 15_000 + 3600 + 3000]);
  assert.equal(mayTake(rules, sure, { ...facts, heardMs: 19_999, hasLeft: true }).kind, "probe");
});

test("it waits for a partner that says it is active, for an answer about its addresses, and for a right", () => {
  for (const [state, changes, why] of [
    [sure, { activePartnerMs: 21_000 }, /the partner says/],
    [addressAnswered(rules, sure, 19_000, "somebody answers"), {}, /somebody answers/],
    [{ ...sure, witnessMs: 20_000 }, {}, /nothing says/],
    [{ ...NEW_GUARD, partnerMs: 99_000 }, {}, /nothing says/],
  ] as const) {
    const verdict = mayTake(rules, state, { ...facts, ...changes });
    assert.equal(verdict.kind, "wait");
    assert.ok(verdict.kind === "wait" && verdict.untilMs > facts.nowMs);
    assert.match(verdict.why, why);
  }
});

test("a better router that hears the active one takes over as ever; with a lease it has to be handed", () => {
  const preempting = { ...facts, isPreempting: true };
  assert.equal(mayTake(rules, sure, preempting).kind, "take");
  assert.equal(
    mayTake(rules, { ...NEW_GUARD, partnerMs: 99_000 }, preempting).kind,
    "wait",
    "partners make nobody active",
  );
  assert.equal(mayTake(lease, { ...NEW_GUARD, witnessMs: 99_000 }, preempting).kind, "wait");
});

test("nobody takes what is handed over without a right of its own; a lease will follow", () => {
  assert.equal(whyDoubt(rules, sure, 20_000), undefined);
  assert.match(whyDoubt(rules, { ...sure, witnessMs: 20_000 }, 20_000) ?? "", /nothing says/);
  assert.equal(whyDoubt(lease, NEW_GUARD, 20_000), undefined);
});

test("an active router is told what does not answer", () => {
  assert.equal(whyNot(rules, sure, 20_000), undefined);
  assert.match(whyNot(rules, { ...sure, gatewayMs: 20_000 }, 20_000) ?? "", /whole: the gateway does not answer$/);
  assert.match(whyNot(rules, NEW_GUARD, 20_000) ?? "", /the gateway does not answer, the witness does not answer$/);
  assert.match(whyNot(lease, NEW_GUARD, 20_000) ?? "", /the lease is not held$/);
  assert.equal(whyNot(rules, addressAnswered(rules, sure, 19_000, "x answers"), 20_000), "x answers");
  assert.equal(whyNot(rules, addressAnswered(rules, sure, 19_000, "x answers"), 22_000), undefined);
});
