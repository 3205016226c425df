import assert from "node:assert/strict";
import { test } from "node:test";
import { type ControlPacket, decodeControl, encodeControl, printDiagnostic } from "./control.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text.replaceAll(" ", ""), "hex"));

const down: ControlPacket = {
  diagnostic: 0,
  state: "down",
  poll: false,
  final: false,
  controlPlaneIndependent: false,
  authenticated: false,
  demand: false,
  multiplier: 5,
  myDiscriminator: 0x0102_0304,
  yourDiscriminator: 0,
  minTxUs: 1_000_000,
  minRxUs: 10_000,
  minEchoRxUs: 0,
};

/** By hand from the figure of RFC 5880 §4.1. */
const DRAWN: readonly [string, Partial<ControlPacket>, string][] = [
  ["a session that begins", {}, "20 40 05 18 01020304 00000000 000f4240 00002710 00000000"],
  [
    "one that is up and polls",
    { state: "up", poll: true, yourDiscriminator: 0xfffe_fdfc, minTxUs: 10_000, multiplier: 3 },
    "20 e0 03 18 01020304 fffefdfc 00002710 00002710 00000000",
  ],
  [
    "its answer",
    { state: "up", final: true, yourDiscriminator: 7 },
    "20 d0 05 18 01020304 00000007 000f4240 00002710 00000000",
  ],
  ["a detection time that expired", { diagnostic: 1 }, "21 40 05 18 01020304 00000000 000f4240 00002710 00000000"],
  [
    "one that is administratively down",
    { state: "adminDown", diagnostic: 7 },
    "27 00 05 18 01020304 00000000 000f4240 00002710 00000000",
  ],
  [
    "every flag, every bit",
    {
      state: "init",
      final: true,
      controlPlaneIndependent: true,
      demand: true,
      diagnostic: 31,
      multiplier: 255,
      yourDiscriminator: 0xffff_ffff,
      minTxUs: 0xffff_ffff,
      minRxUs: 0,
      minEchoRxUs: 50_000,
    },
    "3f 9a ff 18 01020304 ffffffff ffffffff 00000000 0000c350",
  ],
];

for (const [name, changes, drawn] of DRAWN)
  test(`${name}: as it is drawn in RFC 5880`, () => {
    const packet = { ...down, ...changes };
    assert.equal(hex(encodeControl(packet)), drawn.replaceAll(" ", ""));
    assert.deepEqual(decodeControl(bytes(drawn)), { ok: true, value: packet });
  });

test("what RFC 5880 §6.8.6 forbids is refused, each with its reason", () => {
  const good = hex(encodeControl(down));
  const bend = (at: number, byte: string): Uint8Array => bytes(good.slice(0, 2 * at) + byte + good.slice(2 * at + 2));
  for (const [packet, reason] of [
    [bytes(good).subarray(0, 23), "Packet is too small: 23 bytes"],
    [bend(0, "00"), "Packet is of unsupported version: 0"],
    [bend(0, "40"), "Packet is of unsupported version: 2"],
    [bend(3, "17"), "Packet size mismatch: length field: 23 bytes, buffer size: 24 bytes"],
    [bend(3, "19"), "Packet size mismatch: length field: 25 bytes, buffer size: 24 bytes"],
    [bend(1, "44"), "Packet size mismatch: length field: 24 bytes, buffer size: 24 bytes"],
    [bend(2, "00"), "Packet 'detection multiplier' field is zero"],
    [bend(1, "41"), "Packet has 'multipoint' flag"],
    [encodeControl({ ...down, myDiscriminator: 0 }), "Packet 'my discriminator' field is zero"],
    [
      encodeControl({ ...down, state: "init" }),
      "Packet 'your discriminator' field is zero and 'state' field is not Down or AdminDown",
    ],
    [encodeControl({ ...down, poll: true, final: true }), "Packet has both poll and final flags set"],
  ] as const)
    assert.deepEqual(decodeControl(packet), { ok: false, reason });
});

test("bytes behind the length that the packet names are not its own", () => {
  const padded = new Uint8Array(40);
  padded.set(encodeControl(down));
  assert.deepEqual(decodeControl(padded), { ok: true, value: down });
});

test("an authentication section is recognised", () => {
  const packet = bytes(`${hex(encodeControl({ ...down, yourDiscriminator: 1 }))}0102`);
  packet[1] = (packet[1] as number) | 0x04;
  packet[3] = 26;
  const read = decodeControl(packet);
  assert.ok(read.ok && read.value.authenticated);
});

test("diagnostics have the RFC's names", () => {
  assert.equal(printDiagnostic(1), "Control Detection Time Expired");
  assert.equal(printDiagnostic(8), "Reverse Concatenated Path Down");
  assert.equal(printDiagnostic(9), "Unknown");
});
