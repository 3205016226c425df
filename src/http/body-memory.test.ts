import assert from "node:assert/strict";
import { test } from "node:test";
import type { MemorySource } from "../io/memory.ts";
import {
  CRUMB_BYTES,
  KEPT_RESERVE_BYTES,
  LAST_BYTES,
  MemoryGuard,
  RESERVE_BYTES,
  SMALL_BYTES,
} from "../net/memory-guard.ts";
import { BodyMemory } from "./body-memory.ts";

/** Has so many bytes. */
function sourceOf(sizeBytes: number, keptBytes = 0): MemorySource & { asked: number; collected: number } {
  return {
    asked: 0,
    collected: 0,
    allocate: (size) => ({ bytes: new Uint8Array(size), address: 0 }),
    allocateCollected: (size) => ({ bytes: new Uint8Array(size), address: 0 }),
    hasRoom(size): boolean {
      this.asked++;
      return size <= sizeBytes;
    },
    keptBytes: () => keptBytes,
    collect(): void {
      this.collected++;
    },
  };
}
const source = sourceOf(Number.POSITIVE_INFINITY);

test("what was given back is used again for anything that fits and needs as much", () => {
  const memory = new BodyMemory(source, new MemoryGuard(source, () => 0));
  const block = memory.take(65_536);
  assert.equal(block.bytes.length, 65_536);
  memory.give(block);
  assert.notEqual(memory.take(65_537), block);
  assert.equal(memory.take(40_000), block);
  assert.notEqual(memory.take(40_000), block);
});

test("sizes at the bounds: nothing, less than the smallest, more than the largest", () => {
  const memory = new BodyMemory(source, new MemoryGuard(source, () => 0));
  for (const [asked, got] of [
    [0, 0],
    [1, 1024],
    [1024, 1024],
    [1025, 2048],
    [1_048_576, 1_048_576],
    [1_048_577, 1_048_577],
  ] as const) {
    const block = memory.take(asked);
    assert.equal(block.bytes.length, got);
    memory.give(block);
  }
  assert.equal(memory.take(0).bytes.length, 0);
});

test("no more than eight megabytes wait", () => {
  const memory = new BodyMemory(source, new MemoryGuard(source, () => 0));
  const all = Array.from({ length: 12 }, () => memory.take(1_048_576));
  for (const block of all) memory.give(block);
  const again = Array.from({ length: 12 }, () => memory.take(1_048_576));
  assert.equal(again.filter((block) => all.includes(block)).length, 8);
});

test("what would touch the reserve is refused, and the kernel is asked once a megabyte", () => {
  const small = sourceOf(RESERVE_BYTES + 100_000);
  const memory = new BodyMemory(small, new MemoryGuard(small, () => 0));
  for (let i = 0; i < 17; i++) assert.equal(memory.tryTake(65_536)?.bytes.length, 65_536);
  assert.equal(small.asked, 1, "the first one came on top");
  assert.equal(memory.tryTake(65_536)?.bytes.length, 65_536);
  assert.equal(small.asked, 2);
  const large = new BodyMemory(small, new MemoryGuard(small, () => 0));
  assert.equal(large.tryTake(100_001), undefined);
  assert.throws(() => large.take(100_001), { message: "malloc(131072) failed" });
  assert.equal(large.tryTake(65_536)?.bytes.length, 65_536);
});

test("what is small may take of the reserve", () => {
  const guard = new MemoryGuard(sourceOf(LAST_BYTES), () => 0);
  assert.ok(guard.allows(SMALL_BYTES));
  assert.equal(guard.allows(SMALL_BYTES + 1), false);
  assert.equal(new MemoryGuard(sourceOf(LAST_BYTES - 1), () => 0).allows(SMALL_BYTES), false);
});

test("what the allocator keeps is taken before the reserve is", () => {
  const guardOf = (room: number, kept: number): MemoryGuard => new MemoryGuard(sourceOf(room, kept), () => 0);
  assert.ok(guardOf(KEPT_RESERVE_BYTES, CRUMB_BYTES + 10_000).allows(10_000));
  assert.equal(guardOf(KEPT_RESERVE_BYTES, CRUMB_BYTES + 9_999).allows(10_000), false);
  assert.equal(guardOf(KEPT_RESERVE_BYTES - 1, 2 ** 30).allows(10_000), false);
});

test("when the kernel refuses, garbage is collected and it is asked again, twice a second at most", () => {
  let now = 0;
  const small = sourceOf(0);
  const guard = new MemoryGuard(small, () => now);
  for (let i = 0; i < 5; i++) assert.equal(guard.allows(10_000), false);
  assert.deepEqual([small.asked, small.collected], [6, 1]);
  now = 500;
  assert.equal(guard.allows(10_000), false);
  assert.deepEqual([small.asked, small.collected], [8, 2]);
});
