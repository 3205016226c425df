import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Bytes } from "../base/bytes.ts";
import { ConsistentHash, Hash } from "./hash.ts";
import { LeastConn } from "./least_conn.ts";
import { type FoundPeer, NamedMembers, type NamedServer, type Roster } from "./membership.ts";
import { CONNS, Group, localPeerMemory, PEER_DEFAULTS, PEER_WORDS, REFS } from "./peers.ts";
import { Pick } from "./pick.ts";
import { RandomTwo } from "./random.ts";
import { type Balancer, type PeerOutcome, RoundRobin } from "./round_robin.ts";

const SLOTS = 12;
const ALGORITHMS: readonly ((group: Group) => Balancer)[] = [
  (group) => new RoundRobin(group),
  (group) => new LeastConn(group),
  (group) => new Hash(group),
  (group) => new ConsistentHash(group),
  (group) => new RandomTwo(group, (bound) => bound - 1, undefined),
];

const step = fc.oneof(
  fc.record({
    kind: fc.constant("update" as const),
    worker: fc.nat(1),
    server: fc.nat(1),
    peers: fc.array(fc.tuple(fc.nat(4), fc.boolean(), fc.integer({ min: 1, max: 2 })), { maxLength: 5 }),
  }),
  fc.record({ kind: fc.constant("next" as const), worker: fc.nat(1), request: fc.nat(2), key: fc.nat(99) }),
  fc.record({
    kind: fc.constant("finish" as const),
    worker: fc.nat(1),
    request: fc.nat(2),
    outcome: fc.constantFrom<PeerOutcome>(0, 1, 2),
  }),
);

/** Two workers over the same memory and the same roster. */
function twoWorkers(make: (group: Group) => Balancer) {
  const memory = localPeerMemory(SLOTS);
  let text = "";
  const roster = {
    version: 0,
    read: () => text,
    write: (next: string) => {
      text = next;
      roster.version++;
      return true;
    },
  } satisfies Roster;
  const servers = ["x", "y"].map(
    (key): NamedServer => ({
      key,
      settings: { ...PEER_DEFAULTS, maxFails: 0, server: key },
      healthOf: () => 0,
      renew: (former) => former,
    }),
  );
  const workers = [0, 1].map(() => {
    const group = new Group("u", memory, [{ ...PEER_DEFAULTS, maxFails: 0, name: "own", server: "own" }], []);
    const members = new NamedMembers(group, roster, servers, undefined);
    const balancer = make(group);
    const requests = Array.from({ length: 3 }, () => ({ pick: new Pick(group), isBusy: false }));
    return { group, members, balancer, requests };
  });
  return { memory, workers };
}

/** Every peer of the group as a text, sorted. */
function membersOf(group: Group): readonly string[] {
  group.follow();
  const sets = group.backup === undefined ? [group.primary] : [group.primary, group.backup];
  return sets
    .flatMap((peers) => peers.settings.map(({ name, weight }) => `${name} ${weight} ${peers !== group.primary}`))
    .sort();
}

test("workers agree on the members whatever happens, every request is counted once, and every place comes back", () => {
  fc.assert(
    fc.property(fc.nat(ALGORITHMS.length - 1), fc.array(step, { maxLength: 60 }), (algorithm, steps) => {
      const { memory, workers } = twoWorkers(ALGORITHMS[algorithm] as (group: Group) => Balancer);
      let now = 0;
      const busy = (): number =>
        workers.reduce((sum, { requests }) => sum + requests.filter((r) => r.isBusy).length, 0);
      for (const one of steps) {
        const worker = workers[one.worker] as (typeof workers)[number];
        if (one.kind === "update") {
          const peers = one.peers.map(
            ([n, backup, weight]): FoundPeer => ({ name: `p${n}`, server: "", weight, backup }),
          );
          worker.members.update(one.server, peers, now);
        } else {
          const request = worker.requests[one.request] as (typeof worker.requests)[number];
          if (one.kind === "next" && !request.isBusy) {
            worker.balancer.begin(request.pick, Uint8Array.of(one.key) as Bytes);
            request.isBusy = worker.balancer.next(request.pick, now);
            assert.equal(request.isBusy, true, "the server of the configuration is always there");
          } else if (one.kind === "finish" && request.isBusy) {
            worker.balancer.finish(request.pick, one.outcome, 1, 1, now);
            request.isBusy = request.pick.tries > 0 && worker.balancer.next(request.pick, now);
          }
        }
        now += 500;
        const [first, second] = workers.map(({ group }) => membersOf(group));
        assert.deepEqual(first, second);
        const slots = workers.map(({ group }) => [...group.primary.slots, ...(group.backup?.slots ?? [])].sort());
        assert.deepEqual(slots[0], slots[1]);
        assert.equal(new Set(slots[0]).size, slots[0]?.length);
        let counted = 0;
        for (let at = 0; at < memory.words.length; at += PEER_WORDS) {
          assert.ok((memory.words[at + REFS] as number) >= 0);
          counted += memory.words[at + CONNS] as number;
        }
        assert.equal(counted, busy());
      }
      for (const { balancer, requests } of workers)
        for (const { pick, isBusy } of requests) if (isBusy) balancer.finish(pick, 0, 1, 1, now);
      for (const server of [0, 1]) workers[0]?.members.update(server, [], now);
      // Room for all but the server of the configuration.
      const all = Array.from(
        { length: SLOTS - 1 },
        (_, i): FoundPeer => ({ name: `q${i}`, server: "", weight: 1, backup: false }),
      );
      assert.equal(workers[1]?.members.update(0, all, now), 0);
    }),
    { numRuns: 300 },
  );
});
