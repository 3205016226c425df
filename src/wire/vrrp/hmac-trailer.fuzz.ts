import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeTrailer, encodeTrailer, trailerCode } from "./hmac-trailer.ts";

const bytes = (minLength: number, maxLength: number) => fc.uint8Array({ minLength, maxLength });
const source = fc.oneof(bytes(4, 4), bytes(16, 16));

test("every trailer is read back as it was made, and its code holds", () => {
  fc.assert(
    fc.property(
      bytes(8, 300),
      source,
      fc.nat({ max: 255 }),
      bytes(32, 64),
      fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }),
      (message, from, id, key, sequence) => {
        const origin = { version: 3, vrid: id, source: from };
        const trailer = encodeTrailer(message, origin, id, key, sequence);
        const read = decodeTrailer(trailer);
        assert.ok(read.ok);
        assert.deepEqual([read.value.keyId, read.value.sequence], [id, sequence]);
        assert.deepEqual(trailerCode(message, trailer, origin, key), read.value.code);
      },
    ),
  );
});

test("no bytes make the reader throw", () => {
  fc.assert(
    fc.property(bytes(0, 60), (trailer) => {
      const read = decodeTrailer(trailer);
      if (read.ok) assert.ok(trailer.length === 28 && trailer[0] === 1);
    }),
  );
});
