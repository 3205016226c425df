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

test("workers beyond the last ledger count without one", () => {
  const words = new Int32Array(ledgerWords(160));
  const one = new ZoneLedger(words, 160, { slot: LEDGER_SLOTS, processId: 9 });
  one.add(20, 1);
  assert.equal(one.take(undefined, 20), 0);
  assert.equal(one.take({ slot: LEDGER_SLOTS, processId: 9 }, 20), 0);
  assert.ok(words.every((word) => word === 0));
});
