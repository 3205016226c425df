import assert from "node:assert/strict";
import { test } from "node:test";
import { BodyMemory } from "./body-memory.ts";

test("what was given back is used again for anything that fits and needs as much", () => {
  const memory = new BodyMemory();
  const bytes = memory.take(65_536);
  assert.equal(bytes.length, 65_536);
  memory.give(bytes);
  assert.notEqual(memory.take(65_537), bytes);
  assert.equal(memory.take(40_000), bytes);
  assert.notEqual(memory.take(40_000), bytes);
});

test("sizes at the bounds: nothing, less than the smallest, more than the largest", () => {
  const memory = new BodyMemory();
  for (const [asked, got] of [
    [0, 0],
    [1, 1024],
    [1024, 1024],
    [1025, 2048],
    [1_048_576, 1_048_576],
    [1_048_577, 1_048_577],
  ] as const) {
    const bytes = memory.take(asked);
    assert.equal(bytes.length, got);
    memory.give(bytes);
  }
  assert.equal(memory.take(0).length, 0);
});

test("no more than eight megabytes wait", () => {
  const memory = new BodyMemory();
  const all = Array.from({ length: 12 }, () => memory.take(1_048_576));
  for (const bytes of all) memory.give(bytes);
  const again = Array.from({ length: 12 }, () => memory.take(1_048_576));
  assert.equal(again.filter((bytes) => all.includes(bytes)).length, 8);
});
