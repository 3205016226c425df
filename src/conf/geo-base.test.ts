import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "../base/hash-crc32.ts";
import { decodeGeoBase, encodeGeoBase, type GeoPieces } from "./geo-base.ts";

const PIECES: GeoPieces = new Map([
  [0, [{ first: 0, last: 0, value: "" }]],
  [
    0x7f00,
    [
      { first: 0, last: 9, value: "a value" },
      { first: 10, last: 0xffff, value: "other" },
    ],
  ],
  [0xffff, [{ first: 1, last: 2, value: "a value" }]],
]);

test("what is written is read again, and its parts lie where nginx has them", () => {
  const bytes = encodeGeoBase(PIECES);
  assert.deepEqual(decodeGeoBase(bytes), { ok: true, value: PIECES });
  const text = Buffer.from(bytes).toString("latin1");
  assert.ok(text.startsWith("GEORNG\0\b\x78\x56\x34\x12"));
  // Three values, their end, the index, four ranges, three ends.
  assert.equal(bytes.length, 16 + 16 + 24 + 24 + 16 + 0x80000 + 4 * 16 + 3 * 8);
  assert.equal(text.slice(32, 63), "\x07\0\0\x10\0\0\0\0\x30\0\0\0\0\0\0\0a value\0\x05\0\0\x10\0\0\0");
});

/** With the checksum that belongs to it. */
function vouched(bytes: Uint8Array): Uint8Array {
  new DataView(bytes.buffer).setUint32(12, crc32(bytes, 16), true);
  return bytes;
}

test("what is no base, or no longer one, is refused with its reason", () => {
  const reason = (bytes: Uint8Array): string => {
    const decoded = decodeGeoBase(bytes);
    return decoded.ok ? "" : decoded.reason;
  };
  const base = encodeGeoBase(PIECES);
  const changed = (offset: number, value: number): Uint8Array => {
    const copy = base.slice();
    copy[offset] = value;
    return copy;
  };
  assert.equal(reason(new Uint8Array()), "incompatible");
  assert.equal(reason(base.subarray(0, 15)), "incompatible");
  assert.equal(reason(changed(6, 1)), "incompatible");
  assert.equal(reason(changed(7, 4)), "incompatible");
  assert.equal(reason(changed(100, 1)), "CRC32 mismatch in");
  assert.equal(reason(base.subarray(0, base.length - 8)), "CRC32 mismatch in");
  // Pointers that lead nowhere, though the checksum is right.
  for (const offset of [26, 28, 96, 96 + 8 * 0x7f00, base.length - 16 - 8, base.length - 4])
    assert.equal(reason(vouched(changed(offset, 0x7f))), "incompatible", `${offset}`);
});
