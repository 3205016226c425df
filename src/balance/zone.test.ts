import assert from "node:assert/strict";
import { test } from "node:test";
import { Zone, type ZoneUser } from "../base/zone.ts";
import { Killed, LastLedger } from "../base/zone-ledger.cases.ts";
import { ledgerWords, ZoneLedger } from "../base/zone-ledger.ts";
import { CONNS, Group, PEER_DEFAULTS } from "./peers.ts";
import { Pick } from "./pick.ts";
import { RoundRobin } from "./round_robin.ts";
import { formerPeers, type ZonePeers, zonePeers, zoneSlots } from "./zone.ts";

const user: ZoneUser = { processId: 7, host: { isAlive: () => true, rest: () => {} } };

test("upstreams of one zone have their own peers each, and equal parts of what is left", () => {
  const words = new Int32Array(8192);
  const slots = zoneSlots(words.length, [3, 60]) as readonly number[];
  assert.equal((slots[0] as number) - 3, (slots[1] as number) - 60);
  assert.ok((slots[0] as number) > 10);
  for (const processId of [7, 8]) {
    const zone = new Zone("z", words, { ...user, processId });
    const peers = ["one", "two"].map((name, i) => zonePeers(zone, name, slots[i] as number) as ZonePeers);
    assert.ok(peers.every((one) => one !== undefined));
    const first = new Group("one", (peers[0] as ZonePeers).memory, [{ ...PEER_DEFAULTS, name: "a", server: "a" }], []);
    if (processId === 7) first.primary.set(0, CONNS, 5);
    else assert.equal(first.primary.get(0, CONNS), 5);
    (peers[1] as ZonePeers).memory.words.fill(9);
    assert.equal(first.primary.get(0, CONNS), 5);
  }
});

test("more peers than fit are refused", () => {
  assert.equal(zoneSlots(8192, [200]), undefined);
  const zone = new Zone("z", new Int32Array(1024), user);
  assert.equal(zonePeers(zone, "u", 100), undefined);
});

test("the requests of a worker that was killed are no more, and nobody else's", () => {
  const words = new Int32Array(1024);
  const ledgers = new Int32Array(ledgerWords(words.length));
  const start = (slot: number, processId: number): ZonePeers => {
    const ledger = new ZoneLedger(ledgers, words.length, { slot, processId });
    return zonePeers(new Zone("z", words, { ...user, processId }, { ledger }), "u", 4) as ZonePeers;
  };
  const settings = ["a", "b"].map((name) => ({ ...PEER_DEFAULTS, name, server: name, maxConns: 2 }));
  const balancerOf = ({ memory }: ZonePeers): RoundRobin => new RoundRobin(new Group("u", memory, settings, []));
  const begin = (balancer: RoundRobin): Pick | undefined => {
    const pick = new Pick(balancer.group);
    balancer.begin(pick, new Uint8Array(0));
    return balancer.next(pick, 0) ? pick : undefined;
  };
  const dead = balancerOf(start(1, 101));
  const peers = start(2, 102);
  const living = balancerOf(peers);
  const mine = begin(living) as Pick;
  for (let i = 0; i < 3; i++) begin(dead);
  assert.equal(begin(living), undefined, "both have all the connections that they may have");
  peers.settle({ slot: 1, processId: 101 });
  const conns = [0, 1].map((i) => living.group.primary.get(i, CONNS));
  assert.deepEqual(conns, [1, 0]);
  living.finish(mine, 0, 1, 1, 0);
  begin(dead);
  assert.deepEqual(
    [0, 1].map((i) => balancerOf(start(1, 103)).group.primary.get(i, CONNS)),
    [0, 0],
    "by its successor",
  );
});

test("what was known before a reload can be looked up", () => {
  const before = new Zone("z", new Int32Array(1024), user);
  const old = zonePeers(before, "u", 4) as ZonePeers;
  old.roster.write("peers of then");
  old.memory.words[3] = 4;
  const zone = new Zone("z", new Int32Array(1024), user, { previous: before });
  assert.equal(formerPeers(zone, "u")?.roster.read(), "peers of then");
  assert.equal(formerPeers(zone, "u")?.memory.words[3], 4);
  assert.equal(formerPeers(zone, "v"), undefined);
  assert.equal(formerPeers(before, "u"), undefined);
});

test("a worker that is killed in the middle of a change leaves the other upstreams' counts whole, too", () => {
  for (const diesAt of ["before", "behind"] as const) {
    const words = new Int32Array(2048);
    const ledgers = new Int32Array(ledgerWords(words.length));
    const alive = new Set([101, 102]);
    const host = { isAlive: (id: number) => alive.has(id), rest: () => {} };
    const settings = [{ ...PEER_DEFAULTS, name: "a", server: "a" }];
    const start = (slot: number, processId: number) => {
      const ledger = new LastLedger(ledgers, words.length, { slot, processId });
      const zone = new Zone("z", words, { processId, host }, { ledger });
      const upstreams = ["one", "two"].map((name) => zonePeers(zone, name, 2) as ZonePeers);
      const groups = upstreams.map(({ memory }) => new Group("u", memory, settings, []));
      const begin = (i: 0 | 1): boolean => {
        const balancer = new RoundRobin(groups[i] as Group);
        const pick = new Pick(balancer.group);
        balancer.begin(pick, new Uint8Array(0));
        return balancer.next(pick, 0);
      };
      const conns = (): readonly number[] => groups.map(({ primary }) => primary.get(0, CONNS));
      return { ledger, begin, conns, upstreams };
    };
    const [dead, living] = [start(1, 101), start(2, 102)];
    for (const i of [0, 1] as const) {
      dead.begin(i);
      living.begin(i);
    }
    dead.ledger.diesAt = diesAt;
    assert.throws(() => dead.begin(1), Killed);
    alive.delete(101);
    living.begin(0); // of the other upstream, and the first one to have the lock
    for (const one of living.upstreams) one.settle({ slot: 1, processId: 101 });
    assert.deepEqual(living.conns(), [2, 1], `killed ${diesAt} its ledger`);
  }
});
