import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Zone } from "../base/zone.ts";
import { Killed, LastLedger } from "../base/zone-ledger.cases.ts";
import { ledgerWords } from "../base/zone-ledger.ts";
import { CacheKeys, KEY_KNOWN, KEY_NEW, KEY_NO_ROOM, KEY_SCARCE, KeyUse } from "./cache-keys.ts";

const ZONE_WORDS = 8192 / 4;
const FILE = { bodyStart: 400, inode: 7, blocks: 3 };
const FOREVER_S = 1000;

/** Processes over one zone; `alive` holds the ids of those that live. */
class Processes {
  readonly alive = new Set<number>();
  readonly words: Int32Array;
  readonly ledgers = new Map<number, LastLedger>();
  private readonly ledger: Int32Array;

  constructor(words = ZONE_WORDS) {
    this.words = new Int32Array(words);
    this.ledger = new Int32Array(ledgerWords(words));
  }

  start(processId: number, slot = processId): CacheKeys {
    this.alive.add(processId);
    const isAlive = (id: number): boolean => this.alive.has(id);
    const ledger = new LastLedger(this.ledger, this.words.length, { slot, processId });
    this.ledgers.set(processId, ledger);
    const zone = new Zone("c", this.words, { processId, host: { isAlive, rest: () => {} } }, { ledger });
    return new CacheKeys(zone, 5, { processId, isAlive });
  }
}

const key = (n: number): Uint8Array => {
  const bytes = new Uint8Array(16);
  new DataView(bytes.buffer).setUint32(0, n);
  return bytes;
};

/** A request of a process. */
function enter(keys: CacheKeys, n: number, minUses = 1, nowS = 0): { readonly use: KeyUse; readonly result: number } {
  const use = new KeyUse();
  return { use, result: keys.enter(use, key(n), minUses, nowS, FOREVER_S) };
}

const NOTHING = { lockMs: undefined, error: 0, validS: 0, forgets: true };

describe("the keys of a cache", () => {
  test("what one process stores all others know", () => {
    const processes = new Processes();
    const [one, other] = [processes.start(1), processes.start(2)];
    const { use, result } = enter(one, 1);
    assert.equal(result, KEY_NEW);
    one.stored(use, FILE);
    const found = enter(other, 1);
    assert.equal(found.result, KEY_KNOWN);
    assert.deepEqual([found.use.exists, found.use.bodyStart, found.use.inode], [true, 400, 7]);
    assert.equal(other.blocks, 3);
    other.leave(found.use, NOTHING);
    assert.equal(other.count, 1);
  });

  test("a key without a file goes with its last request, unless uses are counted", () => {
    const keys = new Processes().start(1);
    const [first, second] = [enter(keys, 1), enter(keys, 1)];
    keys.leave(first.use, NOTHING);
    assert.equal(keys.count, 1);
    keys.leave(second.use, NOTHING);
    assert.equal(keys.count, 0);
    keys.leave(enter(keys, 2, 3).use, { ...NOTHING, forgets: false });
    const again = enter(keys, 2, 3);
    assert.equal(again.result, KEY_SCARCE);
    keys.leave(again.use, { ...NOTHING, forgets: false });
    assert.equal(enter(keys, 2, 3).result, KEY_KNOWN);
  });

  test("an error is remembered until its time is over", () => {
    const keys = new Processes().start(1);
    keys.leave(enter(keys, 1).use, { ...NOTHING, error: 502, validS: 10 });
    const known = enter(keys, 1, 1, 10);
    assert.deepEqual([known.result, known.use.error], [KEY_KNOWN, 502]);
    assert.deepEqual([enter(keys, 1, 1, 11).result, enter(keys, 1, 1, 11).use.error], [KEY_NEW, 0]);
  });

  test("one at a time updates, and after the lock's age one more", () => {
    const keys = new Processes().start(1);
    const [first, second] = [enter(keys, 1).use, enter(keys, 1).use];
    const lockMs = keys.lockUpdate(first, 100, 50);
    assert.equal(lockMs, 150);
    assert.equal(keys.lockUpdate(second, 120, 50), undefined);
    assert.equal(keys.waitMs(second, 120), 30);
    assert.equal(keys.lockUpdate(second, 150, 50), 200);
    // The first one is no longer the one that is waited for.
    keys.leave(first, { ...NOTHING, lockMs });
    assert.equal(keys.waitMs(second, 160), 40);
    keys.leave(second, { ...NOTHING, lockMs: 200 });
    assert.equal(keys.lockUpdate(enter(keys, 1).use, 170, 50), 220);
  });

  test("the oldest go first, those in use stay", () => {
    const keys = new Processes().start(1);
    for (const n of [1, 2, 3]) keys.stored(enter(keys, n, 1, n).use, FILE);
    const used = enter(keys, 1, 1, 4);
    const young = keys.expireOldest(5, FOREVER_S, false);
    assert.deepEqual(young, { kind: "young", leftS: FOREVER_S + 2 - 5 });
    const oldest = keys.expireOldest(FOREVER_S + 2, FOREVER_S, false);
    assert.ok(oldest.kind === "file");
    assert.deepEqual(oldest.key, key(2));
    assert.equal(keys.blocks, 6);
    assert.equal(keys.expireOldest(FOREVER_S + 2, FOREVER_S, false).kind, "deleting");
    keys.deleted(oldest.cell);
    assert.equal(keys.count, 2);
    const next = keys.expireOldest(5, FOREVER_S, true);
    assert.ok(next.kind === "file");
    keys.deleted(next.cell);
    assert.deepEqual(keys.expireOldest(5, FOREVER_S, true), { kind: "locked", key: key(1), count: 1 });
    keys.leave(used.use, NOTHING);
    assert.equal(keys.expireOldest(5, FOREVER_S, true).kind, "file");
  });

  test("a full zone says so, and has as many keys as nginx's", () => {
    const keys = new Processes(64 * 1024).start(1);
    let n = 0;
    for (; enter(keys, n).result !== KEY_NO_ROOM; n++);
    assert.ok(n > 1800 && n < 2048, `${n} keys in 256 KB`);
    assert.ok(keys.isFull);
  });

  test("what a killed process has used and promised is taken back, by others and by who comes in its place", () => {
    for (const isSettled of [true, false]) {
      const processes = new Processes();
      const [dead, living] = [processes.start(1), processes.start(2)];
      dead.stored(enter(dead, 1).use, FILE);
      const [renewed, fetched] = [enter(dead, 1).use, enter(dead, 2).use];
      assert.equal(dead.promiseRenewal(renewed), 0);
      assert.equal(dead.lockUpdate(fetched, 0, 1e9), 1e9);
      assert.ok(dead.beginLoading(() => true));
      const waiting = enter(living, 2).use;
      assert.equal(living.promiseRenewal(enter(living, 1).use), undefined);
      processes.alive.delete(1);
      if (isSettled) living.settle({ slot: 1, processId: 1 });
      else processes.start(3, 1);
      assert.equal(living.waitMs(waiting, 0), 0);
      assert.equal(living.promiseRenewal(enter(living, 1).use), 0);
      assert.ok(living.beginLoading((id) => processes.alive.has(id)));
      assert.deepEqual(living.expireOldest(0, 1, true), { kind: "locked", key: key(2), count: 1 });
      assert.deepEqual(living.expireOldest(0, 1, true), { kind: "locked", key: key(1), count: 2 });
    }
  });

  test("a process that is killed while it holds the lock leaves entries and their sum", () => {
    const processes = new Processes();
    const [dead, living] = [processes.start(1), processes.start(2)];
    for (const n of [1, 2, 3]) dead.stored(enter(dead, n).use, FILE);
    const zone = new Zone("c", processes.words, { processId: 1, host: { isAlive: () => true, rest: () => {} } });
    zone.lock.acquire();
    processes.alive.delete(1);
    assert.equal(enter(living, 1).result, KEY_KNOWN);
    assert.deepEqual([living.count, living.blocks], [3, 9]);
  });

  test("a process that is killed in the middle of a change of a count leaves no use behind", () => {
    for (const diesAt of ["before", "behind"] as const)
      for (const isLeaving of [true, false]) {
        const processes = new Processes();
        const [dead, living] = [processes.start(1), processes.start(2)];
        dead.stored(enter(dead, 1).use, FILE);
        const { use } = enter(living, 1);
        const its = enter(dead, 1).use;
        (processes.ledgers.get(1) as LastLedger).diesAt = diesAt;
        assert.throws(() => (isLeaving ? dead.letGo(its, false) : enter(dead, 1)), Killed);
        processes.alive.delete(1);
        living.settle({ slot: 1, processId: 1 });
        const what = `killed ${diesAt} its ledger`;
        assert.deepEqual(living.expireOldest(0, 1, true), { kind: "locked", key: key(1), count: 1 }, what);
        living.letGo(use, false);
        assert.equal(living.expireOldest(0, 1, true).kind, "file", what);
      }
  });

  test("a cold cache learns of files, and is warm when all are known", () => {
    const processes = new Processes();
    const keys = processes.start(1);
    assert.ok(keys.isCold);
    assert.ok(keys.beginLoading(() => true));
    assert.ok(!processes.start(2).beginLoading(() => true));
    assert.ok(keys.add(key(1), 4, 0, 10));
    const { use } = enter(keys, 2);
    keys.found(use, FILE);
    assert.equal(keys.blocks, 7);
    keys.endLoading(true);
    assert.ok(!keys.isCold);
    assert.equal(enter(keys, 1).use.exists, true);
  });
});
