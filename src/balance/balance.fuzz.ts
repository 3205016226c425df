import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ConsistentHash, Hash } from "./hash.ts";
import { IpHash } from "./ip_hash.ts";
import { LeastConn } from "./least_conn.ts";
import { LeastTime } from "./least_time.ts";
import { CONNS, DOWN, EFFECTIVE_WEIGHT, type Group, INFLIGHT, localGroup, type PeerSettings, REFS } from "./peers.ts";
import { Pick } from "./pick.ts";
import { Random, RandomTwo } from "./random.ts";
import { type Balancer, type PeerOutcome, RoundRobin } from "./round_robin.ts";

/** A small generator of its own, so that a run can be repeated from its seed. */
function dice(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
}

const ALGORITHMS: readonly [name: string, make: (group: Group, seed: number) => Balancer, backups: boolean][] = [
  ["round_robin", (group) => new RoundRobin(group), true],
  ["least_conn", (group) => new LeastConn(group), true],
  ["least_time", (group) => new LeastTime(group, "header", true), true],
  ["ip_hash", (group) => new IpHash(group), false],
  ["hash", (group) => new Hash(group), false],
  ["consistent", (group) => new ConsistentHash(group), false],
  ["random", (group, seed) => new Random(group, dice(seed)), false],
  ["random two", (group, seed) => new RandomTwo(group, dice(seed), "last_byte"), false],
];

const settings: fc.Arbitrary<Omit<PeerSettings, "name" | "server">> = fc.record(
  {
    weight: fc.integer({ min: 1, max: 9 }),
    maxConns: fc.constantFrom(0, 0, 1, 3),
    maxFails: fc.integer({ min: 0, max: 3 }),
    failTimeoutS: fc.integer({ min: 0, max: 20 }),
    slowStartMs: fc.constantFrom(0, 0, 5000),
    down: fc.boolean(),
    drain: fc.boolean(),
    route: fc.constant(""),
    health: fc.constant(0),
  },
  { noNullPrototype: true },
);
const named = (list: Omit<PeerSettings, "name" | "server">[], prefix: string): PeerSettings[] =>
  list.map((peer, i) => ({ ...peer, name: `${prefix}${i}:80`, server: `${prefix}${i >> 1}:80` }));
const step = fc.record(
  { slot: fc.nat(7), outcome: fc.constantFrom<PeerOutcome>(0, 0, 1, 2), tookMs: fc.nat(3000), key: fc.nat(50) },
  { noNullPrototype: true },
);

for (const [name, make, backups] of ALGORITHMS) {
  test(`${name}: nobody who is down or full is chosen, nobody twice, and everything is given back`, () => {
    fc.assert(
      fc.property(
        fc.array(settings, { minLength: 1, maxLength: 5 }),
        fc.array(settings, { maxLength: backups ? 3 : 0 }),
        fc.array(step, { maxLength: 80 }),
        fc.nat(),
        (primary, backup, steps, seed) => {
          const group = localGroup("u", named(primary, "p"), named(backup, "b"));
          const balancer = make(group, seed);
          const picks = Array.from({ length: 8 }, () => new Pick(group));
          const tried = new Map<Pick, Set<string>>();
          let nowMs = 1_000_000;
          for (const { slot, outcome, tookMs, key } of steps) {
            const pick = picks[slot] as Pick;
            nowMs += tookMs;
            if (pick.current >= 0) {
              balancer.finish(pick, outcome, tookMs, tookMs, nowMs);
              if (outcome !== 0) continue;
            }
            if (outcome === 0 || !tried.has(pick)) {
              balancer.begin(pick, Uint8Array.of(10, key, key * 5, 1));
              tried.set(pick, new Set());
            }
            if (!balancer.next(pick, nowMs)) continue;
            const { peers, current } = pick;
            assert.equal(peers.get(current, DOWN), 0);
            const { maxConns } = peers.at(current);
            assert.ok(maxConns === 0 || peers.get(current, CONNS) <= maxConns);
            const seen = tried.get(pick) as Set<string>;
            assert.ok(group.single || !seen.has(pick.name), "a peer that was tried is not tried again");
            seen.add(pick.name);
          }
          for (const pick of picks) if (pick.current >= 0) balancer.finish(pick, 0, 1, 1, nowMs);
          for (const peers of [group.primary, ...(group.backup === undefined ? [] : [group.backup])]) {
            for (let i = 0; i < peers.count; i++) {
              assert.equal(peers.get(i, CONNS), 0);
              assert.equal(peers.get(i, REFS), 0);
              assert.equal(peers.get(i, INFLIGHT), 0);
              assert.ok(peers.get(i, EFFECTIVE_WEIGHT) >= 0 && peers.get(i, EFFECTIVE_WEIGHT) <= peers.at(i).weight);
            }
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  test(`${name}: a request is offered every peer that is in rotation before it gives up`, () => {
    fc.assert(
      fc.property(
        fc.array(settings, { minLength: 1, maxLength: 6 }),
        fc.array(settings, { maxLength: backups ? 3 : 0 }),
        fc.nat(),
        (primary, backup, seed) => {
          const group = localGroup("u", named(primary, "p"), named(backup, "b"));
          const balancer = make(group, seed);
          const pick = new Pick(group);
          balancer.begin(pick, Uint8Array.of(10, seed & 255, 3, 4));
          const offered = new Set<string>();
          while (offered.size < 10 && (offered.size === 0 || pick.tries > 0) && balancer.next(pick, 1000)) {
            offered.add(pick.name);
            balancer.finish(pick, 2, -1, 1, 1000);
          }
          const expected = [...named(primary, "p"), ...named(backup, "b")].filter((peer) => !peer.down && !peer.drain);
          assert.deepEqual([...offered].sort(), expected.map((peer) => peer.name).sort());
        },
      ),
      { numRuns: 60 },
    );
  });
}

test("over a cycle each peer is chosen as often as its weight says", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 2, maxLength: 8 }), (weights) => {
      const primary = weights.map((weight, i) => ({
        ...{
          maxConns: 0,
          maxFails: 1,
          failTimeoutS: 10,
          slowStartMs: 0,
          down: false,
          drain: false,
          route: "",
          health: 0,
          server: "s",
        },
        name: String(i),
        weight,
      }));
      const balancer = new RoundRobin(localGroup("u", primary));
      const counts = weights.map(() => 0);
      const pick = new Pick(balancer.group);
      for (let left = weights.reduce((a, b) => a + b); left > 0; left--) {
        balancer.begin(pick, new Uint8Array(0));
        assert.ok(balancer.next(pick, 0));
        counts[pick.current] = (counts[pick.current] as number) + 1;
        balancer.finish(pick, 0, 1, 1, 0);
      }
      assert.deepEqual(counts, weights);
    }),
  );
});
