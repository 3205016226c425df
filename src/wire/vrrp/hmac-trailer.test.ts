import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import { parseIp } from "../../base/ip.ts";
import { ageS, decodeTrailer, encodeTrailer, isLater, sequenceAt, TRAILER_BYTES, trailerCode } from "./hmac-trailer.ts";

const ip = (text: string): Uint8Array => parseIp(text) as Uint8Array;
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const key = Uint8Array.from({ length: 32 }, (_, i) => i);
const message = new Uint8Array(Buffer.from("31210164000064a391c0a83282".slice(0, 24), "hex"));

test("a trailer is what the draft says, by another hand and another HMAC", () => {
  for (const [source, family] of [
    ["192.0.2.1", 4],
    ["2001:db8::1", 6],
  ] as const) {
    const origin = { version: 3, vrid: 51, source: ip(source) };
    const trailer = encodeTrailer(message, origin, 7, key, 0x0102030405060708n);
    const pseudo = Buffer.concat([Buffer.from([family, 3, 51, 0]), ip(source), Buffer.alloc(family === 4 ? 12 : 0)]);
    const bare = Buffer.from(message);
    bare.writeUInt16BE(0, 6);
    const head = Buffer.from("010700000102030405060708", "hex");
    const code = createHmac("sha256", key).update(pseudo).update(bare).update(head).update(Buffer.alloc(16)).digest();
    assert.equal(hex(trailer), head.toString("hex") + code.subarray(0, 16).toString("hex"));
    assert.deepEqual(decodeTrailer(trailer), {
      ok: true,
      value: { keyId: 7, sequence: 0x0102030405060708n, code: trailer.slice(12) },
    });
  }
});

test("the checksum does not enter, everything else does", () => {
  const origin = { version: 3, vrid: 51, source: ip("192.0.2.1") };
  const trailer = encodeTrailer(message, origin, 1, key, 5n);
  const code = (bent: Uint8Array, head = trailer, from = origin): string => hex(trailerCode(bent, head, from, key));
  const good = code(message);
  for (let at = 0; at < message.length; at++) {
    const bent = message.slice();
    bent[at] = (bent[at] as number) ^ 1;
    assert.equal(code(bent) === good, at === 6 || at === 7, `byte ${at}`);
  }
  for (let at = 0; at < 12; at++) {
    const bent = trailer.slice();
    bent[at] = (bent[at] as number) ^ 1;
    assert.notEqual(code(message, bent), good);
  }
  for (const other of [{ version: 2 }, { vrid: 52 }, { source: ip("192.0.2.2") }, { source: ip("::c000:201") }])
    assert.notEqual(code(message, trailer, { ...origin, ...other }), good);
});

test("sequences are instants, in order also where the numbers begin again", () => {
  assert.equal(sequenceAt(1_700_000_000_500), (1_700_000_000n << 32n) | (0x8000n << 16n));
  assert.ok(isLater(sequenceAt(2000), sequenceAt(1999)));
  assert.ok(!isLater(5n, 5n));
  assert.ok(isLater(3n, 0xffff_ffff_ffff_fff0n));
  assert.equal(ageS(sequenceAt(10_000), 12_900), 2);
  assert.equal(ageS(sequenceAt(20_000), 12_900), -8);
});

test("an unknown type, reserved bits and another length are refused", () => {
  for (const [at, value] of [
    [0, 2],
    [2, 1],
    [3, 128],
  ] as const) {
    const trailer = encodeTrailer(message, { version: 2, vrid: 1, source: ip("192.0.2.1") }, 1, key, 1n);
    trailer[at] = value;
    assert.equal(decodeTrailer(trailer).ok, false);
  }
  assert.equal(decodeTrailer(new Uint8Array(TRAILER_BYTES - 1)).ok, false);
});
