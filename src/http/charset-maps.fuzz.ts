import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { concatBytes, fromLatin1, fromUtf8, latin1, utf8 } from "../base/bytes.ts";
import { type CharsetMap, CharsetMapBuilder, findTable, Recoder } from "./charset-maps.ts";

/** Latin-1 with the euro sign where Latin-9 has it. */
function sample(): CharsetMap {
  const builder = new CharsetMapBuilder(true);
  for (let byte = 160; byte < 256; byte++) builder.add(byte, fromUtf8(byte === 164 ? "€" : String.fromCharCode(byte)));
  return builder.build("latin-9", "utf-8");
}

const map = sample();
const known = fc.array(fc.oneof(fc.integer({ min: 0, max: 127 }), fc.integer({ min: 160, max: 255 })), {
  maxLength: 200,
});

function through(recoder: Recoder, bytes: Uint8Array, cuts: readonly number[]): Uint8Array {
  const places = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return concatBytes(places.map((place, index) => recoder.recode(bytes.subarray(places[index - 1] ?? 0, place))));
}

test("what goes there comes back, in any pieces", () => {
  fc.assert(
    fc.property(known, fc.array(fc.nat(), { maxLength: 5 }), (codes, cuts) => {
      const bytes = Uint8Array.from(codes);
      const there = through(new Recoder(map.forward), bytes, cuts);
      assert.equal(utf8(there), latin1(bytes).replaceAll("\xa4", "€"));
      assert.deepEqual(Buffer.from(through(new Recoder(map.backward), there, cuts)), Buffer.from(bytes));
    }),
  );
});

test("pieces make no difference to noise either", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.array(fc.nat(), { maxLength: 5 }), (bytes, cuts) => {
      const whole = new Recoder(map.backward).recode(bytes);
      assert.deepEqual(Buffer.from(through(new Recoder(map.backward), bytes, cuts)), Buffer.from(whole));
    }),
  );
});

test("characters that are not in the map become entities, broken ones a question mark", () => {
  const recode = (bytes: Uint8Array): string => latin1(new Recoder(map.backward).recode(bytes));
  assert.equal(recode(fromUtf8("aЖ€😀é")), "a&#1046;\xa4&#128512;\xe9");
  assert.equal(recode(fromLatin1("\xff\xc0\x80\xc3a")), "????");
  assert.equal(latin1(new Recoder(map.forward).recode(fromLatin1("a\x80"))), "a?");
});

test("a table is found in both directions, and only there", () => {
  assert.equal(findTable([map], "latin-9", "utf-8"), map.forward);
  assert.equal(findTable([map], "utf-8", "latin-9"), map.backward);
  assert.equal(findTable([map], "latin-9", "koi8-r"), undefined);
});
