import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { fromLatin1 } from "./bytes.ts";
import { md5 } from "./hash-md5.ts";
import { sha256 } from "./hash-sha256.ts";
import { hmac, sameSecret } from "./hmac.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const times = (byte: number, length: number): Uint8Array => new Uint8Array(length).fill(byte);

test("SHA-256 gives the digests of FIPS 180-4's examples", () => {
  assert.equal(hex(sha256(fromLatin1("abc"))), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  assert.equal(hex(sha256(fromLatin1(""))), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
});

test("HMAC gives the codes of RFC 2202 and RFC 4231", () => {
  assert.equal(hex(hmac(md5, times(0x0b, 16), [fromLatin1("Hi There")])), "9294727a3638bb1c13f48ef8158bfc9d");
  assert.equal(
    hex(hmac(md5, fromLatin1("Jefe"), [fromLatin1("what do ya want for nothing?")])),
    "750c783e6ab0b503eaa86e310a5db738",
  );
  assert.equal(
    hex(hmac(sha256, times(0x0b, 20), [fromLatin1("Hi There")])),
    "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
  );
  assert.equal(
    hex(hmac(sha256, times(0xaa, 131), [fromLatin1("Test Using Larger Than Block-Size Key - Hash Key First")])),
    "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
  );
});

test("both agree with OpenSSL, in however many parts the message comes", () => {
  const bytes = fc.uint8Array({ maxLength: 200 });
  fc.assert(
    fc.property(bytes, fc.array(bytes, { maxLength: 4 }), (key, parts) => {
      const whole = Buffer.concat(parts);
      assert.equal(hex(sha256(new Uint8Array(whole))), createHash("sha256").update(whole).digest("hex"));
      for (const [name, hash] of [
        ["md5", md5],
        ["sha256", sha256],
      ] as const)
        assert.equal(hex(hmac(hash, key, parts)), createHmac(name, key).update(whole).digest("hex"));
    }),
  );
});

test("secrets are the same only when every byte is", () => {
  assert.ok(sameSecret(times(1, 4), times(1, 4)));
  assert.ok(!sameSecret(times(1, 4), times(1, 5)));
  assert.ok(!sameSecret(times(1, 4), Uint8Array.of(1, 1, 1, 2)));
});
