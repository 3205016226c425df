import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fromLatin1, latin1 } from "./bytes.ts";
import { Interner } from "./interner.ts";

test("bytes that are asked for again are made into a value no more, wherever they lie", () => {
  let made = 0;
  const interner = new Interner((bytes, start, end) => {
    made++;
    return latin1(bytes, start, end);
  });
  assert.equal(interner.get(fromLatin1("xx/path"), 2, 7), "/path");
  assert.equal(interner.get(fromLatin1("/path"), 0, 5), "/path");
  const memory = fromLatin1("/path");
  assert.equal(interner.get(memory, 0, 5), "/path");
  assert.equal(made, 2);
  memory.fill(0);
  assert.equal(interner.get(fromLatin1("/path"), 0, 5), "/path");
});

test("different bytes are never taken for each other", () => {
  const interner = new Interner(latin1);
  const text = fc.string({ unit: fc.constantFrom("a", "b", "/", "\xff"), maxLength: 140 });
  fc.assert(
    fc.property(text, (value) => assert.equal(interner.get(fromLatin1(value), 0, value.length), value)),
    { numRuns: 3000 },
  );
});
