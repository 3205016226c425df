import assert from "node:assert/strict";
import { test } from "node:test";
import { LEDGER_SLOTS, ledgerWords, ZoneLedger } from "./zone-ledger.ts";

test("what a worker has counted is taken once, by whoever knows its slot and its id", () => {
  const words = new Int32Array(ledgerWords(160));
  const dead = new ZoneLedger(words, 160, { slot: 3, processId: 30 });
  const living = new ZoneLedger(words, 160, { slot: 4, processId: 40 });
  dead.add(20, 1);
  dead.add(31, 1);
  dead.add(33, 5);
  dead.add(33, -1);
  living.add(20, 7);
  assert.equal(living.take({ slot: 3, processId: 31 }, 20), 0, "another process");
  assert.equal(living.take({ slot: 3, processId: 30 }, 20), 2, "a line has one counter");
  assert.equal(living.take({ slot: 3, processId: 30 }, 20), 0);
  const successor = new ZoneLedger(words, 160, { slot: 3, processId: 31 });
  assert.equal(living.take({ slot: 3, processId: 30 }, 33), 0, "its successor sees to it");
  assert.equal(successor.take(undefined, 33), 4);
  assert.equal(living.take(undefined, 20), 7);
});

test("workers beyond the last ledger count in one that nobody takes back, and sums are whole", () => {
  const words = new Int32Array(ledgerWords(160));
  const [one, other] = [LEDGER_SLOTS, LEDGER_SLOTS + 7].map(
    (slot) => new ZoneLedger(words, 160, { slot, processId: slot }),
  ) as [ZoneLedger, ZoneLedger];
  const last = new ZoneLedger(words, 160, { slot: LEDGER_SLOTS - 1, processId: 9 });
  one.add(20, 1);
  other.add(20, 2);
  last.add(20, 4);
  last.add(40, 8);
  assert.equal(one.take(undefined, 20), 0);
  assert.equal(one.take({ slot: LEDGER_SLOTS, processId: LEDGER_SLOTS }, 20), 0);
  assert.deepEqual([one.total(20), one.total(40)], [7, 8]);
  assert.equal(one.take({ slot: LEDGER_SLOTS - 1, processId: 9 }, 20), 4);
  assert.equal(last.total(20), 3);
});
