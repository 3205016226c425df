/** The table against a Map and a list: the same entries, the same order of use, whatever is done, also behind a kill. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SharedTable } from "./shared-table.ts";

const VALUE_WORDS = 5;

type Step =
  | { readonly kind: "add" | "remove" | "touch"; readonly key: number }
  | { readonly kind: "remove oldest" | "repair" | "other process" };

const key = fc.nat({ max: 40 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: key.map((n): Step => ({ kind: "add", key: n })) },
  { weight: 3, arbitrary: key.map((n): Step => ({ kind: "remove", key: n })) },
  { weight: 3, arbitrary: key.map((n): Step => ({ kind: "touch", key: n })) },
  fc.constantFrom<Step>({ kind: "remove oldest" }, { kind: "repair" }, { kind: "other process" }),
);

/** Keys of all lengths, from none to several cells; the third byte on differs rarely. */
function keyOf(n: number): Uint8Array {
  const bytes = new Uint8Array([0, 3, 16, 20, 21, 76, 77, 200][n % 8] as number).fill(n >> 3);
  if (bytes.length > 0) bytes[bytes.length - 1] = n;
  return bytes;
}

/** Two numbers may have the same key. */
function nameOf(n: number): string {
  return keyOf(n).join();
}

const agreesWithAMap = fc.property(
  fc.array(step, { maxLength: 200, size: "max" }),
  fc.integer({ min: 4, max: 60 }),
  fc.integer(),
  (steps, lines, seed) => {
    const words = new Int32Array(lines * 16);
    let table = new SharedTable(words, VALUE_WORDS, seed);
    /** Oldest first. */
    const model = new Map<string, { readonly key: Uint8Array; readonly cell: number; readonly stamp: number }>();
    for (const one of steps) {
      switch (one.kind) {
        case "add": {
          const bytes = keyOf(one.key);
          const name = nameOf(one.key);
          if (model.has(name)) break;
          const cell = table.add(bytes, bytes.length);
          if (cell === 0) break;
          assert.ok(table.words.subarray(table.valueOf(cell), table.valueOf(cell) + VALUE_WORDS).every((w) => w === 0));
          table.words.fill(cell + 1000, table.valueOf(cell), table.valueOf(cell) + VALUE_WORDS);
          assert.deepEqual(table.keyOf(cell), bytes);
          model.set(name, { key: bytes, cell, stamp: table.stampOf(cell) });
          break;
        }
        case "remove": {
          const found = table.find(keyOf(one.key), keyOf(one.key).length);
          if (found !== 0) table.remove(found);
          model.delete(nameOf(one.key));
          break;
        }
        case "touch": {
          const name = nameOf(one.key);
          const known = model.get(name);
          const found = table.find(keyOf(one.key), keyOf(one.key).length);
          assert.equal(found, known?.cell ?? 0);
          if (known === undefined) break;
          table.touch(found);
          model.delete(name);
          model.set(name, known);
          break;
        }
        case "remove oldest": {
          const [first] = model;
          assert.equal(table.oldest, first?.[1].cell ?? 0);
          if (first === undefined) break;
          table.remove(table.oldest);
          assert.equal(table.isStill(first[1].cell, first[1].stamp), false);
          model.delete(first[0]);
          break;
        }
        case "repair": {
          table.repair();
          // The order of use is that of the cells then.
          const entries = [...model].sort(([, a], [, b]) => a.cell - b.cell);
          model.clear();
          for (const [name, value] of entries) model.set(name, value);
          break;
        }
        default:
          table = new SharedTable(words, VALUE_WORDS, seed + 1);
      }
      assert.equal(table.count, model.size);
      for (const { key: bytes, cell, stamp } of model.values()) {
        assert.equal(table.find(bytes, bytes.length), cell);
        assert.ok(table.isStill(cell, stamp));
        assert.equal(table.words[table.valueOf(cell)], cell + 1000, "nobody else writes into the value");
      }
    }
    while (table.count > 0) table.remove(table.oldest);
    assert.equal(table.oldest, 0);
    // Nothing was lost: as many cells as ever can be taken.
    const empty = new SharedTable(new Int32Array(lines * 16), VALUE_WORDS, seed);
    assert.equal(fill(table), fill(empty));
  },
);

test("a table agrees with a map, whatever is done to it", () => {
  fc.assert(agreesWithAMap, { numRuns: 40 });
});

test("a process that is killed while it changes the table costs no other entry", () => {
  const property = fc.property(
    fc.uniqueArray(key, { minLength: 1, maxLength: 25, selector: nameOf, size: "max" }),
    fc.constantFrom("add", "remove", "touch"),
    fc.infiniteStream(fc.boolean()),
    (keys, change, coins) => {
      const words = new Int32Array(80 * 16);
      const table = new SharedTable(words, VALUE_WORDS, 7);
      const [victim = 0, ...others] = keys;
      const add = (n: number): number => table.add(keyOf(n), keyOf(n).length);
      for (const n of others) assert.notEqual(add(n), 0);
      if (change !== "add") add(victim);
      const before = words.slice();
      if (change === "add") add(victim);
      else table[change](table.find(keyOf(victim), keyOf(victim).length));
      // Any part of what it would have written may be there.
      words.forEach((word, i) => {
        if (word !== before[i] && coins.next().value) words[i] = before[i] as number;
      });
      table.repair();
      for (const n of others) {
        const cell = table.find(keyOf(n), keyOf(n).length);
        assert.notEqual(cell, 0);
        table.remove(cell);
      }
      while (table.count > 0) table.remove(table.oldest);
      assert.equal(fill(table), fill(new SharedTable(new Int32Array(80 * 16), VALUE_WORDS, 7)));
    },
  );
  fc.assert(property);
});

/** How many entries of one cell fit. */
function fill(table: SharedTable): number {
  let count = 0;
  for (;;) {
    const bytes = Uint8Array.of(255, count & 255, count >> 8);
    if (table.add(bytes, bytes.length) === 0) return count;
    count++;
  }
}
