import assert from "node:assert/strict";
import { test } from "node:test";
import { fromLatin1 } from "../base/bytes.ts";
import { Zone } from "../base/zone.ts";
import { Killed, LastLedger } from "../base/zone-ledger.cases.ts";
import { ledgerWords } from "../base/zone-ledger.ts";
import { FULL, KeyCounts, NO_ROOM } from "./limit-conn.ts";

const alive = new Set<number>();
const host = { isAlive: (id: number) => alive.has(id), rest: () => {} };

/** Memory that workers can be started over. */
function memory(zoneWords = 4096): (slot: number, processId: number) => KeyCounts & { readonly ledger: LastLedger } {
  const words = new Int32Array(zoneWords);
  const ledgers = new Int32Array(ledgerWords(zoneWords));
  return (slot, processId) => {
    alive.add(processId);
    const ledger = new LastLedger(ledgers, zoneWords, { slot, processId });
    return Object.assign(new KeyCounts(new Zone("z", words, { processId, host }, { ledger }), 1), { ledger });
  };
}

function enter(counts: KeyCounts, key: string, limit: number): number {
  return counts.enter(fromLatin1(key), key.length, limit);
}

test("workers count together, and each key by itself", () => {
  const start = memory();
  const one = start(1, 101);
  const two = start(2, 102);
  const first = enter(one, "a", 2);
  assert.ok(first > 0);
  assert.equal(enter(two, "a", 2), first);
  assert.equal(enter(one, "a", 2), FULL);
  assert.ok(enter(one, "b", 2) > 0);
  two.leave(first);
  assert.ok(enter(two, "a", 2) > 0);
});

test("a key that nobody has takes no room", () => {
  const counts = memory(16 * 6)(1, 101);
  for (let i = 0; i < 100; i++) counts.leave(enter(counts, `key ${i}`, 1));
  const entries: number[] = [];
  for (let i = 0; ; i++) {
    const entry = enter(counts, `key ${i}`, 1);
    if (entry === NO_ROOM) break;
    entries.push(entry);
  }
  assert.ok(entries.length >= 2);
  counts.leave(entries[0] as number);
  assert.ok(enter(counts, "another", 1) > 0);
});

test("what a killed worker has counted is taken back, once, and nobody else's", () => {
  const start = memory();
  const dead = start(1, 101);
  const living = start(2, 102);
  for (const counts of [dead, dead, living]) enter(counts, "a", 3);
  enter(dead, "b", 1);
  assert.equal(enter(living, "a", 3), FULL);
  living.settle({ slot: 1, processId: 999 });
  assert.equal(enter(living, "a", 3), FULL, "somebody else has that slot");
  living.settle({ slot: 1, processId: 101 });
  living.settle({ slot: 1, processId: 101 });
  assert.ok(enter(living, "a", 3) > 0);
  assert.ok(enter(living, "a", 3) > 0);
  assert.equal(enter(living, "a", 3), FULL);
  assert.ok(enter(living, "b", 1) > 0);
});

test("the worker that is started in its place does it if nobody else was there", () => {
  const start = memory();
  enter(start(1, 101), "a", 1);
  const successor = start(1, 103);
  const entry = enter(successor, "a", 1);
  assert.ok(entry > 0);
  start(2, 102).settle({ slot: 1, processId: 101 });
  assert.equal(enter(successor, "a", 1), FULL, "a late word of the death changes nothing");
});

test("a worker that is killed in the middle of a change leaves neither more nor less than the living have", () => {
  for (const diesAt of ["before", "behind"] as const)
    for (const change of ["enters", "enters a new key", "leaves"] as const) {
      const start = memory();
      const [dead, living] = [start(1, 101), start(2, 102)];
      enter(living, "a", 9);
      const entry = enter(dead, "a", 9);
      dead.ledger.diesAt = diesAt;
      assert.throws(() => {
        if (change === "leaves") dead.leave(entry);
        else enter(dead, change === "enters" ? "a" : "b", 9);
      }, Killed);
      alive.delete(101);
      living.settle({ slot: 1, processId: 101 });
      const what = `killed ${diesAt} its ledger when it ${change}`;
      assert.ok(enter(living, "a", 2) > 0, what);
      assert.equal(enter(living, "a", 2), FULL, what);
      assert.ok(enter(living, "b", 1) > 0, what);
      assert.equal(enter(living, "b", 1), FULL, what);
    }
});

test("a worker that is started behind one that was killed so repairs what it finds", () => {
  const start = memory();
  const dead = start(1, 101);
  enter(dead, "a", 9);
  dead.ledger.diesAt = "before";
  assert.throws(() => enter(dead, "a", 9), Killed);
  alive.delete(101);
  const successor = start(1, 103);
  assert.ok(enter(successor, "a", 1) > 0);
  assert.equal(enter(successor, "a", 1), FULL);
});
