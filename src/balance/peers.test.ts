import assert from "node:assert/strict";
import { test } from "node:test";
import { Zone } from "../base/zone.ts";
import {
  CONNS,
  DRAINING,
  EFFECTIVE_WEIGHT,
  FAILS,
  Group,
  healthyPeers,
  localGroup,
  PEER_DEFAULTS,
  type PeerSettings,
  setDown,
  UNHEALTHY,
} from "./peers.ts";
import { Pick } from "./pick.ts";
import { FAILURE, NEXT, type PeerOutcome, RoundRobin, SUCCESS } from "./round_robin.ts";
import { type ZonePeers, zonePeers } from "./zone.ts";

const NO_KEY = new Uint8Array(0);

function peer(name: string, settings: Partial<PeerSettings> = {}): PeerSettings {
  return { ...PEER_DEFAULTS, name, server: name, ...settings };
}

function ask(balancer: RoundRobin, nowMs: number, outcome: PeerOutcome = SUCCESS, hint?: string): string {
  const pick = new Pick(balancer.group);
  balancer.begin(pick, NO_KEY);
  pick.hint = hint;
  if (!balancer.next(pick, nowMs)) return "-";
  const { name } = pick;
  balancer.finish(pick, outcome, 1, 1, nowMs);
  return name;
}

test("the failure that reaches max_fails says so; a success in the next window forgives all of them", () => {
  const group = localGroup("u", [peer("a", { maxFails: 2, weight: 4 }), peer("b", { down: true })]);
  const balancer = new RoundRobin(group);
  const fail = (nowMs: number): boolean => {
    const pick = new Pick(group);
    balancer.begin(pick, NO_KEY);
    assert.equal(balancer.next(pick, nowMs), true);
    return balancer.finish(pick, FAILURE, -1, 1, nowMs);
  };
  assert.equal(fail(1000), false);
  assert.equal(group.primary.get(0, EFFECTIVE_WEIGHT), 2, "each failure costs weight / max_fails");
  assert.equal(fail(1000), true);
  assert.equal(ask(balancer, 11_000), "-", "fail_timeout is inclusive");
  assert.equal(ask(balancer, 12_000), "a");
  assert.equal(group.primary.get(0, FAILS), 0);
});

test("a connection forgives at once what a request forgives at its end, in the next window and no earlier", () => {
  const group = localGroup("u", [peer("a"), peer("b", { down: true })]);
  const balancer = new RoundRobin(group);
  ask(balancer, 1000, FAILURE);
  const pick = new Pick(group);
  balancer.begin(pick, NO_KEY);
  assert.equal(balancer.next(pick, 12_000), true);
  assert.equal(ask(balancer, 12_000), "-", "one try only");
  balancer.connected(pick, 12_100);
  assert.equal(group.primary.get(0, FAILS), 0);
  assert.equal(ask(balancer, 12_200), "a");
  ask(balancer, 13_000, FAILURE);
  balancer.connected(pick, 13_100);
  assert.equal(group.primary.get(0, FAILS), 1);
});

test("within fail_timeout a success does not forgive, and one try only is made after it", () => {
  const group = localGroup("u", [peer("a", { maxFails: 2 }), peer("b", { down: true })]);
  const balancer = new RoundRobin(group);
  ask(balancer, 1000, FAILURE);
  ask(balancer, 2000, SUCCESS);
  assert.equal(group.primary.get(0, FAILS), 1);
  ask(balancer, 3000, FAILURE);
  const trial = new Pick(group);
  balancer.begin(trial, NO_KEY);
  assert.equal(balancer.next(trial, 14_000), true);
  assert.equal(ask(balancer, 14_000), "-", "the trial is still on its way");
  balancer.finish(trial, NEXT, 1, 1, 14_500);
  assert.equal(ask(balancer, 15_000), "a", "an answer that goes on to another peer is no failure");
});

test("connections are given back with their peer", () => {
  const group = localGroup("u", [peer("a", { maxConns: 1 }), peer("b", { maxConns: 1 })]);
  const balancer = new RoundRobin(group);
  const picks = [new Pick(group), new Pick(group), new Pick(group)] as const;
  for (const pick of picks) balancer.begin(pick, NO_KEY);
  assert.deepEqual(
    picks.map((pick) => balancer.next(pick, 0)),
    [true, true, false],
  );
  balancer.finish(picks[0], SUCCESS, 1, 1, 0);
  assert.equal(balancer.next(picks[2], 0), true);
});

test("slow start lets a peer's share grow from nothing", () => {
  const group = localGroup("u", [peer("a", { slowStartMs: 10_000 }), peer("b", { slowStartMs: 10_000 })]);
  const balancer = new RoundRobin(group);
  setDown(group.primary, 0, UNHEALTHY, true, 0);
  assert.equal(ask(balancer, 0), "b");
  setDown(group.primary, 0, UNHEALTHY, false, 100_000);
  const share = (nowMs: number): number => {
    let count = 0;
    for (let i = 0; i < 100; i++) if (ask(balancer, nowMs) === "a") count++;
    return count;
  };
  assert.equal(share(100_000) <= 2, true);
  assert.deepEqual([20 < share(105_000), share(105_000) < 45], [true, true]);
  assert.equal(Math.abs(share(110_000) - 50) <= 1, true);
});

test("slow start also follows failures that put a peer out of rotation", () => {
  const group = localGroup("u", [peer("a", { slowStartMs: 60_000 }), peer("b", { slowStartMs: 60_000, maxFails: 0 })]);
  const balancer = new RoundRobin(group);
  assert.equal(ask(balancer, 1000, FAILURE), "a");
  let nowMs = 20_000;
  while (ask(balancer, nowMs) !== "a" && nowMs < 21_000) nowMs += 10;
  assert.equal(nowMs < 21_000, true);
  const seen = Array.from({ length: 30 }, () => ask(balancer, nowMs + 100));
  assert.equal(seen.filter((name) => name === "a").length <= 1, true);
});

test("a sticky hint beats the turn, also for a draining peer, until the peer is down, failed or full", () => {
  const group = localGroup("u", [peer("a", { route: "ra" }), peer("b", { route: "rb", maxConns: 1 }), peer("c")]);
  const balancer = new RoundRobin(group);
  for (let i = 0; i < 5; i++) assert.equal(ask(balancer, 0, SUCCESS, "rb"), "b");
  assert.equal(ask(balancer, 0, SUCCESS, group.primary.sid(2)), "c");
  setDown(group.primary, 0, DRAINING, true, 0);
  for (let i = 0; i < 4; i++) assert.notEqual(ask(balancer, 0), "a");
  assert.equal(ask(balancer, 0, SUCCESS, "ra"), "a");
  setDown(group.primary, 0, UNHEALTHY, true, 0);
  assert.notEqual(ask(balancer, 0, SUCCESS, "ra"), "a");
  group.primary.set(1, CONNS, 1);
  assert.equal(ask(balancer, 0, SUCCESS, "rb"), "c");
});

test("many requests for one sticky peer do not push its weight down without end", () => {
  const group = localGroup("u", [peer("a", { route: "ra" }), peer("b")]);
  const balancer = new RoundRobin(group);
  for (let i = 0; i < 100; i++) ask(balancer, 0, SUCCESS, "ra");
  assert.deepEqual([ask(balancer, 0), ask(balancer, 0), ask(balancer, 0)].includes("a"), true);
});

test("the healthy share counts what a request could be given", () => {
  const group = localGroup("u", [peer("a"), peer("b"), peer("c", { down: true })], [peer("d")]);
  assert.deepEqual(healthyPeers(group, 1000), { healthy: 3, total: 4 });
  ask(new RoundRobin(group), 1000, FAILURE);
  assert.deepEqual(healthyPeers(group, 2000), { healthy: 2, total: 4 });
});

test("workers that share memory take turns as one, and count connections together", () => {
  const settings = [peer("a", { maxConns: 1 }), peer("b", { weight: 2 })];
  const words = new Int32Array(1024);
  const host = { isAlive: () => true, rest: () => {} };
  const workers = [101, 102].map((processId) => {
    const zone = new Zone("z", words, { processId, host });
    return new RoundRobin(new Group("u", (zonePeers(zone, "u", 4) as ZonePeers).memory, settings, []));
  });
  const [first, second] = workers as [RoundRobin, RoundRobin];
  assert.equal(Array.from({ length: 6 }, (_, i) => ask(i % 2 === 0 ? first : second, 0)).join(""), "babbab");
  const pick = new Pick(first.group);
  first.begin(pick, NO_KEY);
  while (!(first.next(pick, 0) && pick.name === "a")) {
    first.finish(pick, SUCCESS, 1, 1, 0);
    first.begin(pick, NO_KEY);
  }
  for (let i = 0; i < 4; i++) assert.equal(ask(second, 0), "b", "a has its one connection, from the other worker");
  first.finish(pick, SUCCESS, 1, 1, 0);
  assert.equal(words[0], 0, "the lock is free");
});
