import assert from "node:assert/strict";
import { test } from "node:test";
import type { Bytes } from "../../base/bytes.ts";
import { fromLatin1 } from "../../base/bytes.ts";
import { parseIp } from "../../base/ip.ts";
import { decodeIpv4, encodeIpv4 } from "../ipv4.ts";
import {
  type Advert,
  AUTH_NONE,
  AUTH_PASSWORD,
  decodeAdvert,
  type Envelope,
  encodeAdvert,
  VRRP_GROUP_4,
  VRRP_GROUP_6,
  VRRP_PROTOCOL,
} from "./advert.ts";

const ip = (text: string) => parseIp(text) as Bytes;
const hex = (bytes: Bytes) => Buffer.from(bytes).toString("hex");
const bytes = (text: string) => new Uint8Array(Buffer.from(text.replaceAll(" ", ""), "hex"));
const password = (text: string) => {
  const padded = new Uint8Array(8);
  padded.set(fromLatin1(text));
  return padded;
};
const none = new Uint8Array(0);
const envelope: Envelope = { source: ip("192.168.50.133"), destination: VRRP_GROUP_4 };
const v2: Advert = {
  version: 2,
  vrid: 33,
  priority: 100,
  intervalCs: 100,
  authType: AUTH_PASSWORD,
  password: password("1111"),
  addresses: [ip("192.168.50.130")],
};
const v3: Advert = { ...v2, version: 3, authType: AUTH_NONE, password: none };
const v3six: Advert = { ...v3, addresses: [ip("fe80::130"), ip("2001:db8:50::130")] };
const envelopeSix: Envelope = { source: ip("fe80::dc9c:cbff:fe96:a7d9"), destination: VRRP_GROUP_6 };

/** Bytes that keepalived 2.2.7 was seen to send. */
const measured: [string, Advert, Envelope | undefined, string][] = [
  ["version 2 with a password", v2, undefined, "21 21 64 01 01 01 24 4f c0a83282 31313131 00000000"],
  ["version 2, priority 0", { ...v2, priority: 0 }, undefined, "21 21 00 01 01 01 88 4f c0a83282 31313131 00000000"],
  [
    "version 2 without authentication",
    { ...v2, priority: 90, authType: AUTH_NONE, password: password("") },
    undefined,
    "21 21 5a 01 00 01 91 b1 c0a83282 0000000000000000",
  ],
  ["version 3 for IPv4", v3, envelope, "31 21 64 01 00 64 a3 91 c0a83282"],
  [
    "version 3 for IPv6",
    v3six,
    envelopeSix,
    "31 21 64 02 00 64 ee 52 fe800000000000000000000000000130 20010db8005000000000000000000130",
  ],
];

for (const [name, advert, covered, expected] of measured)
  test(`${name} is encoded as keepalived encodes it, and read back`, () => {
    assert.equal(hex(encodeAdvert(advert, covered)), expected.replaceAll(" ", ""));
    assert.deepEqual(decodeAdvert(bytes(expected), covered ?? envelope), { ok: true, value: advert });
  });

test("the IPv4 header around an advert is keepalived's", () => {
  const packet = encodeIpv4(
    { ...envelope, protocol: VRRP_PROTOCOL, ttl: 255, tos: 0xc0, id: 1 },
    encodeAdvert(v2, undefined),
  );
  assert.equal(hex(packet.subarray(0, 20)), "45c0002800010000ff70e764c0a83285e0000012");
  const read = decodeIpv4(packet);
  assert.ok(read.ok);
  assert.equal(read.value.ttl, 255);
  assert.equal(hex(read.value.source), "c0a83285");
  assert.equal(hex(read.value.payload), hex(encodeAdvert(v2, undefined)));
});

test("each malformed advert has its own reason", () => {
  const good = encodeAdvert(v2, undefined);
  const change = (at: number, value: number) => {
    const copy = good.slice();
    copy[at] = value;
    return decodeAdvert(copy, envelope);
  };
  assert.deepEqual(decodeAdvert(good.subarray(0, 7), envelope), { ok: false, reason: "shorter than a VRRP header" });
  assert.deepEqual(decodeAdvert(good.subarray(0, 12), envelope), {
    ok: false,
    reason: "12 bytes where 20 are promised",
  });
  assert.deepEqual(change(3, 5), { ok: false, reason: "20 bytes where 36 are promised" });
  assert.deepEqual(change(0, 0x41), { ok: false, reason: "unknown version 4" });
  assert.deepEqual(change(0, 0x22), { ok: false, reason: "unknown type 2" });
  assert.deepEqual(change(6, 0x25), { ok: false, reason: "wrong checksum" });
});

test("bytes behind the promised length are link-layer padding", () => {
  const padded = new Uint8Array(46);
  padded.set(encodeAdvert(v3, envelope));
  assert.ok(decodeAdvert(padded, envelope).ok);
});

test("malformed IPv4 packets have their own reasons", () => {
  const good = encodeIpv4({ ...envelope, protocol: 112, ttl: 255, tos: 0, id: 0 }, new Uint8Array(8));
  const change = (at: number, value: number) => {
    const copy = good.slice();
    copy[at] = value;
    return decodeIpv4(copy);
  };
  assert.deepEqual(decodeIpv4(good.subarray(0, 19)), { ok: false, reason: "shorter than an IPv4 header" });
  assert.deepEqual(change(0, 0x65), { ok: false, reason: "not IP version 4" });
  assert.deepEqual(change(0, 0x44), { ok: false, reason: "IPv4 header length below 20" });
  assert.deepEqual(change(3, 19), { ok: false, reason: "IPv4 total length below the header length" });
  assert.deepEqual(change(3, 29), { ok: false, reason: "IPv4 packet is cut" });
});
