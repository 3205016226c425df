import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeIpv4 } from "../ipv4.ts";
import { AUTH_AH, decodeAdvert, encodeAdvert, VRRP_GROUP_4 } from "./advert.ts";
import { AH_BYTES, ahCheck, decodeAh, encodeAh } from "./ah.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "hex"));
const password = Uint8Array.of(0x31, 0x31, 0x31, 0x31, 0, 0, 0, 0);
const key = { password, isUnicast: false };

/** Packets that two keepalived 2.2.7 were seen to send with the password 1111: host, IP identification, sequence, priority. */
const MEASURED: readonly [number, number, number, number][] = [
  [133, 1, 1, 100],
  [134, 1, 1, 90],
  [134, 2, 2, 90],
  [133, 2, 4, 100],
  [133, 9, 11, 0],
];
const WHOLE = [
  "45c0004000010000ff33e789c0a83285e000001270040000c0a8328500000001b2a68d9de501bdf5ab6f8a7921216401020185b1c0a832820000000000000000",
  "45c0004000010000ff33e788c0a83286e000001270040000c0a8328600000001ddf584c0c8554a0357b4609a21215a0102018fb1c0a832820000000000000000",
  "45c0004000020000ff33e787c0a83286e000001270040000c0a83286000000026f3c84e1c2a41086036e8e6721215a0102018fb1c0a832820000000000000000",
  "45c0004000020000ff33e788c0a83285e000001270040000c0a83285000000046a6c8f16cded707fb9fbd6f921216401020185b1c0a832820000000000000000",
  "45c0004000090000ff33e781c0a83285e000001270040000c0a832850000000bed5c33f92d212e1afa1669b0212100010201e9b1c0a832820000000000000000",
];

for (const [index, [host, id, sequence, priority]] of MEASURED.entries())
  test(`packet ${index + 1} is the one that keepalived sent`, () => {
    const source = Uint8Array.of(192, 168, 50, host);
    const advert = {
      version: 2,
      vrid: 33,
      priority,
      intervalCs: 100,
      authType: AUTH_AH,
      password: new Uint8Array(8),
      addresses: [Uint8Array.of(192, 168, 50, 130)],
    } as const;
    const fields = { source, destination: VRRP_GROUP_4, ttl: 255, tos: 0xc0, id };
    const packet = encodeAh(fields, sequence, encodeAdvert(advert, undefined), key);
    assert.equal(hex(packet), WHOLE[index]);
    const outer = decodeIpv4(packet);
    assert.ok(outer.ok && outer.value.protocol === 51);
    const header = decodeAh(outer.value.payload);
    assert.ok(header.ok);
    assert.deepEqual(header.value.spi, source);
    assert.deepEqual([header.value.nextHeader, header.value.sequence], [112, sequence]);
    assert.deepEqual(header.value.check, ahCheck(packet, 20, key));
    assert.ok(decodeAdvert(outer.value.payload.subarray(AH_BYTES), outer.value).ok);
  });

test("everything that may not change on the way decides about the check value, and nothing else", () => {
  const packet = bytes(WHOLE[0] as string);
  const check = hex(ahCheck(packet, 20, key));
  for (let at = 0; at < packet.length; at++) {
    const bent = packet.slice();
    bent[at] = (bent[at] as number) ^ 0x55;
    const isMutable = at === 1 || at === 6 || at === 7 || at === 10 || at === 11 || (at >= 32 && at < 44);
    assert.equal(hex(ahCheck(bent, 20, key)) === check, isMutable, `byte ${at}`);
  }
  const far = packet.slice();
  far[8] = 60;
  const unicast = { password, isUnicast: true };
  assert.deepEqual(ahCheck(far, 20, unicast), ahCheck(packet, 20, unicast));
  assert.notDeepEqual(ahCheck(packet, 20, { password: new Uint8Array(8), isUnicast: false }), ahCheck(packet, 20, key));
  assert.equal(decodeAh(packet.subarray(20, 43)).ok, false);
});
