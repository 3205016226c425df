import assert from "node:assert/strict";
import { test } from "node:test";
import { Zone, type ZoneUser } from "./zone.ts";

const user: ZoneUser = { processId: 7, host: { isAlive: () => true, rest: () => {} } };

test("a region is made by whoever asks first and found by all others", () => {
  const words = new Int32Array(1024);
  const one = new Zone("z", words, user);
  const other = new Zone("z", words, { ...user, processId: 8 });
  assert.equal(other.find("a"), undefined);
  const mine = one.region("a", 20) as Int32Array;
  mine[19] = 5;
  const theirs = other.region("a", 300) as Int32Array;
  assert.deepEqual([theirs.length, theirs[19]], [20, 5]);
  assert.equal(other.find("a")?.[19], 5);
});

test("regions do not touch, begin at 64 bytes, and are zero", () => {
  const words = new Int32Array(1024);
  const zone = new Zone("z", words, user);
  const regions = ["a", "a long name, of more than sixty-four bytes, äöü, which takes two lines", "", "b"].map(
    (name) => {
      const region = zone.region(name, 17) as Int32Array;
      assert.ok(region.every((word) => word === 0));
      assert.equal(region.byteOffset % 64, words.byteOffset % 64);
      return region;
    },
  );
  for (const [i, region] of regions.entries()) region.fill(i);
  assert.deepEqual(
    regions.map((region) => [...new Set(region)]),
    [[0], [1], [2], [3]],
  );
  assert.equal(zone.find("")?.[0], 2);
  assert.equal(zone.find("b")?.[0], 3);
});

test("who asks for a region behind a process that died with the lock leaves it to the next one to repair what is in there", () => {
  const words = new Int32Array(1024);
  new Zone("z", words, { ...user, processId: 8 }).lock.acquire();
  const zone = new Zone("z", words, user);
  zone.lock.releaseFor(8);
  zone.region("a", 20);
  zone.region("b", 20);
  assert.equal(zone.lock.acquire(), true);
  zone.lock.release();
  zone.region("a", 20);
  assert.equal(zone.lock.acquire(), false);
});

test("all regions whose name begins so are found", () => {
  const zone = new Zone("z", new Int32Array(1024), user);
  for (const name of ["p one", "q", "p two", "p"]) zone.region(name, 17)?.fill(name.length);
  assert.deepEqual(
    zone.findAll("p ").map(([first]) => first),
    [5, 5],
  );
  assert.deepEqual(zone.findAll("r"), []);
});

test("a region that does not fit is refused, and one that just fits is not", () => {
  const zone = new Zone("z", new Int32Array(128), user);
  assert.equal(zone.freeWords, 96);
  assert.equal(zone.region("a", 97), undefined);
  assert.equal(zone.region("a", 96)?.length, 96);
  assert.equal(zone.freeWords, 0);
  assert.equal(zone.region("b", 0), undefined);
  assert.equal(zone.region("a", 1)?.length, 96);
});
