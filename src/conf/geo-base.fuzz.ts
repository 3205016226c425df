import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { crc32 } from "../base/hash-crc32.ts";
import { decodeGeoBase, encodeGeoBase, type GeoPieces } from "./geo-base.ts";

const half = fc.integer({ min: 0, max: 0xffff });
const piece = fc.record(
  { first: half, last: half, value: fc.string({ unit: "binary-ascii", maxLength: 20 }) },
  { noNullPrototype: true },
);
const pieces: fc.Arbitrary<GeoPieces> = fc
  .uniqueArray(fc.tuple(half, fc.array(piece, { minLength: 1, maxLength: 4 })), {
    maxLength: 5,
    selector: ([upper]) => upper,
  })
  .map((entries) => new Map(entries.sort(([a], [b]) => a - b)));

test("every base is read as it was written", () => {
  fc.assert(
    fc.property(pieces, (all) => assert.deepEqual(decodeGeoBase(encodeGeoBase(all)), { ok: true, value: all })),
    { numRuns: 30 },
  );
});

test("a base that was changed anywhere is refused or read, whoever has made its checksum", () => {
  fc.assert(
    fc.property(
      pieces,
      fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(255)), { maxLength: 6 }),
      fc.boolean(),
      (all, changes, isNear) => {
        const bytes = encodeGeoBase(all);
        // The index is by far the longest part, and mostly zero.
        for (const [place, byte] of changes)
          bytes[Math.min(bytes.length - 1, Math.floor(place * (isNear ? 200 : bytes.length)))] = byte;
        if (decodeGeoBase(bytes).ok) return;
        new DataView(bytes.buffer).setUint32(12, crc32(bytes, 16), true);
        const decoded = decodeGeoBase(bytes);
        if (!decoded.ok) assert.equal(decoded.reason, "incompatible");
      },
    ),
    { numRuns: 60 },
  );
});
