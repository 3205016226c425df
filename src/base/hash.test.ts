import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { decodeBase64, decodeBase64Url, encodeBase64 } from "./base64.ts";
import { fromLatin1, latin1 } from "./bytes.ts";
import { CRC32_START, crc32, crc32Final, crc32Update } from "./hash-crc32.ts";
import { crc32c } from "./hash-crc32c.ts";
import { Md5, md5Hex } from "./hash-md5.ts";
import { murmur2 } from "./hash-murmur2.ts";
import { sha1 } from "./hash-sha1.ts";

test("the check values of the catalogues come out", () => {
  assert.equal(crc32(fromLatin1("123456789")), 0xcbf43926);
  assert.equal(crc32c(fromLatin1("123456789")), 0xe3069283);
  assert.equal(md5Hex(fromLatin1("")), "d41d8cd98f00b204e9800998ecf8427e");
});

test("a checksum in parts is the checksum of the whole", () => {
  const bytes = fromLatin1("in any number of parts");
  assert.equal(crc32Final(crc32Update(crc32Update(CRC32_START, bytes, 0, 7), bytes, 7)), crc32(bytes));
});

test("MD5 agrees with OpenSSL", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      assert.equal(md5Hex(bytes), createHash("md5").update(bytes).digest("hex"));
    }),
  );
});

test("MD5 in parts is MD5 of the whole", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 150 }), { maxLength: 5 }), (parts) => {
      const hash = new Md5();
      for (const part of parts) hash.add(part);
      assert.deepEqual(hash.end(), new Uint8Array(createHash("md5").update(Buffer.concat(parts)).digest()));
    }),
  );
});

test("SHA-1 agrees with OpenSSL", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      assert.deepEqual(sha1(bytes), new Uint8Array(createHash("sha1").update(bytes).digest()));
    }),
  );
});

test("base64 agrees with node, and reads back what it wrote, in both alphabets and without its padding", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      const text = encodeBase64(bytes);
      assert.equal(text, Buffer.from(bytes).toString("base64"));
      assert.deepEqual(decodeBase64(text), bytes);
      assert.deepEqual(decodeBase64Url(Buffer.from(bytes).toString("base64url")), bytes);
    }),
  );
});

test("base64 is read up to its first padding, and refused where a digit is none or is left over", () => {
  const read = (text: string): string | undefined => {
    const bytes = decodeBase64(text);
    return bytes === undefined ? undefined : latin1(bytes);
  };
  assert.equal(read("YWJj=*whatever"), "abc");
  assert.equal(read("="), "");
  assert.equal(read("YQ"), "a");
  assert.equal(read("YWJjZ"), undefined);
  assert.equal(read("YW-j"), undefined);
  assert.equal(read("YW\u0100j"), undefined);
  assert.deepEqual(decodeBase64Url("-_-_"), Uint8Array.of(0xfb, 0xff, 0xbf));
  assert.equal(decodeBase64Url("+/+/"), undefined);
});

/** What nginx 1.31.5 answered with `split_clients $arg_k $split { 50% a; 25% b; * c; }` for these keys. */
test("MurmurHash2 shares keys out as nginx's split_clients does", () => {
  let parts = "";
  for (let i = 0; i < 24; i++) {
    const share = murmur2(fromLatin1(`key${"x".repeat(i % 5)}${i}`)) / 0xffffffff;
    parts += share < 0.5 ? "a" : share < 0.75 ? "b" : "c";
  }
  assert.equal(parts, "baabacabcbcbbababbbccaab");
});
