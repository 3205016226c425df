import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fromLatin1, latin1 } from "../../base/bytes.ts";
import { blockOf, findControl, isPlainWord, viewOf, writeBlock } from "./words.ts";

const bytesWithControls = fc
  .array(fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(0x1f, 0x20, 0x21, 0x7f, 0x80, 0xa0)), {
    maxLength: 40,
  })
  .map((codes) => Uint8Array.from(codes));

test("the first control character is found from any offset to any end", () => {
  fc.assert(
    fc.property(bytesWithControls, fc.nat(40), fc.nat(40), (bytes, a, b) => {
      const start = Math.min(a, bytes.length);
      const end = Math.min(Math.max(start, b), bytes.length);
      const found = bytes.subarray(start, end).findIndex((code) => code < 0x20);
      assert.equal(findControl(viewOf(bytes), start, end), found < 0 ? end : start + found);
    }),
    { numRuns: 2000 },
  );
});

test("a word is plain when each of its bytes is", () => {
  const isPlain = (code: number): boolean => code >= 0x20 && code < 0x7f && code !== 0x22 && code !== 0x5c;
  const neighbours = [0x00, 0x1f, 0x20, 0x21, 0x22, 0x23, 0x41, 0x5b, 0x5c, 0x5d, 0x7e, 0x7f, 0x80, 0xa2, 0xdc, 0xff];
  for (let code = 0; code < 256; code++) {
    for (const other of neighbours) {
      for (let place = 0; place < 4; place++) {
        const bytes = new Uint8Array(4).fill(other);
        bytes[place] = code;
        assert.equal(isPlainWord(viewOf(bytes).getInt32(0, true)), bytes.every(isPlain), `${bytes}`);
      }
    }
  }
});

test("a block is copied whole, to any offset, and nothing beside it is touched", () => {
  for (let length = 0; length < 12; length++) {
    for (let offset = 0; offset < 5; offset++) {
      const target = fromLatin1(".".repeat(20));
      const text = "abcdefghijkl".slice(0, length);
      assert.equal(writeBlock(viewOf(target), blockOf(text), offset), offset + length);
      assert.equal(latin1(target), `${".".repeat(offset)}${text}${".".repeat(20 - offset - length)}`);
    }
  }
});
