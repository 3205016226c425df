/** What is encoded is what is decoded, and no bytes make the decoder fail otherwise than by saying so. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CACHE_HEADER_BYTES, type CacheFileHeader, decodeCacheHeader, encodeCacheHeader } from "./file-header.ts";

const time = fc.integer({ min: -1, max: Number.MAX_SAFE_INTEGER });
const text = (maxLength: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.integer({ min: 0x20, max: 0xff }).map((code) => String.fromCharCode(code)), maxLength });

const header: fc.Arbitrary<CacheFileHeader> = fc.record(
  {
    validS: time,
    updatingS: time,
    errorS: time,
    lastModifiedS: time,
    dateS: time,
    crc32: fc.nat({ max: 0xffffffff }),
    headerStart: fc.nat({ max: 0xffff }),
    bodyStart: fc.nat({ max: 0xffff }),
    etag: text(128),
    vary: text(128).filter((vary) => vary !== ""),
    variant: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  },
  { noNullPrototype: true },
);

test("a header survives", () => {
  fc.assert(
    fc.property(header, (value) => {
      const bytes = encodeCacheHeader(value);
      assert.equal(bytes.length, CACHE_HEADER_BYTES);
      const decoded = decodeCacheHeader(bytes);
      assert.deepEqual(decoded, { ok: true, value });
    }),
  );
});

test("a tag that is too long is left out, a time that is too far away is the last one", () => {
  const value = { ...fc.sample(header, 1)[0], etag: "x".repeat(129), validS: Number.MAX_VALUE } as CacheFileHeader;
  const decoded = decodeCacheHeader(encodeCacheHeader(value));
  assert.ok(decoded.ok);
  assert.equal(decoded.value.etag, "");
  assert.equal(decoded.value.validS, 2 ** 63);
});

test("any bytes are a header or a reason", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      const decoded = decodeCacheHeader(bytes);
      if (!decoded.ok) assert.match(decoded.reason, /^(is too small|version mismatch|has incorrect vary length)$/);
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array({ minLength: CACHE_HEADER_BYTES, maxLength: 400 }), (bytes) => {
      bytes.set([5, 0, 0, 0, 0, 0, 0, 0]);
      assert.equal(decodeCacheHeader(bytes).ok, (bytes[187] as number) <= 128);
    }),
  );
});
