import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encodeArp, encodeGratuitousArp } from "./arp.ts";
import { addWords, foldChecksum, pseudoHeaderSum } from "./checksum.ts";
import { ETHERTYPE_ARP, encodeEthernet } from "./ethernet.ts";
import { encodeUnsolicitedAdvert } from "./ndp.ts";
import { decodeClaim, encodeQuestion } from "./neighbour-question.ts";

const MAC = Uint8Array.of(2, 0, 0, 0, 0, 1);
const VIP = Uint8Array.of(192, 168, 50, 130);
const VIP6 = Uint8Array.of(0x20, 1, 0xd, 0xb8, 0, 0x50, 0, 0, 0, 0, 0, 0, 0, 0x12, 0x34, 0x56);
const OWN6 = Uint8Array.of(0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

test("an ARP probe has no sender address (RFC 5227 §2.1.1), a request has ours", () => {
  assert.equal(
    hex(encodeQuestion(MAC, undefined, VIP)),
    "ffffffffffff" +
      "020000000001" +
      "0806" +
      "0001080006040001" +
      "020000000001" +
      "00000000" +
      "000000000000" +
      "c0a83282",
  );
  assert.equal(hex(encodeQuestion(MAC, Uint8Array.of(192, 168, 50, 133), VIP)).slice(56, 64), "c0a83285");
});

test("a solicitation goes to the solicited-node group, from nobody when it is a probe (RFC 4862 §5.4.2)", () => {
  for (const source of [undefined, OWN6]) {
    const frame = encodeQuestion(MAC, source, VIP6);
    assert.equal(hex(frame.subarray(0, 6)), "3333ff123456");
    const from = frame.subarray(22, 38);
    const to = frame.subarray(38, 54);
    assert.equal(hex(from), hex(source ?? new Uint8Array(16)));
    assert.equal(hex(to), "ff0200000000000000000001ff123456");
    assert.equal(frame[21], 255, "hop limit");
    const message = frame.subarray(54);
    assert.equal(message.length, source === undefined ? 24 : 32, "a probe has no source link-layer address");
    assert.equal(foldChecksum(addWords(pseudoHeaderSum(from, to, 58, message.length), message)), 0);
    assert.deepEqual([message[0], hex(message.subarray(8, 24))], [135, hex(VIP6)]);
  }
});

test("answers and announcements are claims, questions of nobody are none", () => {
  const other = Uint8Array.of(2, 0, 0, 0, 0, 2);
  const reply = encodeArp({
    operation: 2,
    senderMac: other,
    senderIp: VIP,
    targetMac: MAC,
    targetIp: new Uint8Array(4),
  });
  assert.deepEqual(decodeClaim(encodeEthernet(MAC, other, ETHERTYPE_ARP, reply)), {
    ip: VIP,
    mac: other,
    mayAnswer: true,
  });
  assert.deepEqual(decodeClaim(encodeGratuitousArp(other, VIP)), { ip: VIP, mac: other, mayAnswer: false });
  const advert = encodeUnsolicitedAdvert({ target: VIP6, mac: other, isRouter: false }, VIP6);
  assert.deepEqual(decodeClaim(advert), { ip: VIP6, mac: other, mayAnswer: true });
  assert.equal(decodeClaim(encodeQuestion(MAC, undefined, VIP)), undefined);
  assert.equal(decodeClaim(encodeQuestion(MAC, OWN6, VIP6)), undefined);
});

test("no frame makes the reader throw", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), (frame) => void decodeClaim(frame)));
});
