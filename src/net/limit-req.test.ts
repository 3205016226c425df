import assert from "node:assert/strict";
import { test } from "node:test";
import { fromLatin1 } from "../base/bytes.ts";
import { SharedTable } from "../base/shared-table.ts";
import { Zone } from "../base/zone.ts";
import { BUSY, COUNTED, NO_ROOM, PROMISED, RequestRates } from "./limit-req.ts";

const host = { isAlive: () => true, rest: () => {} };

/** Two workers on one zone; `rate` in thousandths per second. */
function workers(rate: number, words = 8192): readonly [RequestRates, RequestRates] {
  const memory = new Int32Array(words);
  const [one, two] = [7, 8].map((processId) => new RequestRates(new Zone("z", memory, { processId, host }), rate, 1));
  return [one as RequestRates, two as RequestRates];
}

function look(rates: RequestRates, key: string, now: number, burst = 0, isLast = true): number {
  return rates.look(fromLatin1(key), key.length, burst, now, isLast);
}

test("the bucket leaks in thousandths of a request per millisecond, rounded as nginx rounds", () => {
  const [one, two] = workers(3000);
  assert.equal(look(one, "a", 1000), COUNTED);
  assert.equal(look(two, "a", 1000, 2000), COUNTED);
  assert.equal(one.excess, 0);
  assert.equal(two.excess, 1000);
  assert.equal(look(one, "a", 1001, 2000), COUNTED);
  assert.equal(one.excess, 1997);
  assert.equal(look(two, "a", 1001, 2000), BUSY);
  assert.equal(two.excess, 2997);
  assert.equal(look(two, "b", 1001), COUNTED, "another key has its own bucket");
  assert.equal(look(one, "a", 2001, 2000), COUNTED);
  assert.equal(one.excess, 0);
});

test("a refused request does not count", () => {
  const [one] = workers(1000);
  look(one, "a", 0);
  for (let now = 100; now < 900; now += 100) assert.equal(look(one, "a", now), BUSY);
  assert.equal(look(one, "a", 1000), COUNTED);
});

test("a slow rate is rounded down per look, and no time is lost by looks that come in the same millisecond", () => {
  const [one] = workers(16);
  look(one, "a", 0);
  assert.equal(look(one, "a", 10, 5000), COUNTED);
  assert.equal(one.excess, 1000, "16 * 10 / 1000 is nothing");
  assert.equal(look(one, "a", 10, 5000), COUNTED);
  assert.equal(one.excess, 2000);
  look(one, "a", 1010, 5000);
  assert.equal(one.excess, 2984);
});

test("a clock that is a little behind counts as no time, one that was set back as a millisecond", () => {
  const [one, two] = workers(1000);
  look(one, "a", 100_000);
  look(two, "a", 99_999, 9000);
  assert.equal(two.excess, 1000);
  look(two, "a", 1000, 9000);
  assert.equal(two.excess, 1999);
});

test("a request that several limits look at counts in the earlier ones only when all let it through", () => {
  const [one, two] = workers(1000);
  assert.equal(look(one, "a", 0, 0, false), PROMISED);
  one.forget();
  assert.equal(one.account(0), false);
  assert.equal(look(two, "a", 0, 0, false), PROMISED);
  assert.equal(two.account(0), true);
  assert.equal(two.excess, 0, "the first request of a bucket finds it empty");
  assert.equal(look(two, "a", 0, 0, false), BUSY);
  assert.equal(look(two, "a", 0, 1000, false), PROMISED);
  assert.equal(two.account(0), true);
  assert.equal(two.excess, 1000);
});

test("the delay is the time in which what is beyond leaks away", () => {
  const [one] = workers(3000);
  assert.equal(one.delayOf(1000, 0), 333);
  assert.equal(one.delayOf(1000, 1000), 0);
  assert.equal(one.delayOf(5000, Number.POSITIVE_INFINITY), 0);
});

test("a new key takes the room of the oldest when there is none", () => {
  const [one] = workers(1000, 16 * 40);
  const now = 0;
  let keys = 0;
  while (look(one, `key ${keys}`, now) === COUNTED && keys < 100) keys++;
  assert.equal(keys, 100, "the oldest gives way");
  // One that was refused has been looked at last, and stays.
  assert.equal(look(one, "key 80", now), BUSY);
  for (let i = 100; i < 115; i++) look(one, `key ${i}`, now);
  assert.equal(look(one, "key 80", now), BUSY);
  const [small] = workers(1000, 16 * 8);
  assert.equal(look(small, "x".repeat(1000), 0), NO_ROOM);
  assert.equal(look(small, "x", 0), COUNTED);
});

test("a new key removes two others whose buckets are empty for a minute", () => {
  const words = new Int32Array(8192);
  const zone = new Zone("z", words, { processId: 7, host });
  const one = new RequestRates(zone, 1000, 1);
  const table = new SharedTable(zone.find("table") as Int32Array, 4, 1);
  for (const key of ["a", "b", "c", "d"]) look(one, key, 0);
  look(one, "e", 59_999);
  assert.equal(table.count, 5);
  look(one, "f", 60_000);
  assert.equal(table.count, 4);
  look(one, "g", 60_000);
  assert.equal(table.count, 3, "e, f and g");
  look(one, "h", 60_001);
  assert.equal(table.count, 4);
});

test("a worker that was killed with the lock in its hands costs no counts", () => {
  const words = new Int32Array(8192);
  const alive = { isAlive: (id: number) => id !== 9, rest: () => {} };
  const zone = (processId: number): Zone => new Zone("z", words, { processId, host: alive });
  const one = new RequestRates(zone(7), 1000, 1);
  look(one, "a", 0);
  zone(9).lock.acquire();
  assert.equal(look(one, "a", 0), BUSY);
});
