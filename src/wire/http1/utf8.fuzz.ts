/** Random texts: real UTF-8 has as many characters as it has, and anything else is walked through or refused. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { utf8Offsets } from "./utf8.ts";

test("every character of a real text is found", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 0x10ffff }), { maxLength: 20 }), (codes) => {
      const real = codes.filter((code) => code < 0xd800 || code > 0xdfff);
      const text = Buffer.from(String.fromCodePoint(...real), "utf8").toString("latin1");
      assert.equal((utf8Offsets(text) as readonly number[]).length, real.length + 1);
    }),
  );
});

test("offsets grow by one to four and end at the end", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 12 }), (bytes) => {
      const text = Buffer.from(bytes).toString("latin1");
      const offsets = utf8Offsets(text);
      if (offsets === undefined) return;
      assert.equal(offsets.at(-1), text.length);
      for (let i = 1; i < offsets.length; i++) {
        const step = (offsets[i] as number) - (offsets[i - 1] as number);
        assert.ok(step >= 1 && step <= 4);
      }
    }),
  );
});
