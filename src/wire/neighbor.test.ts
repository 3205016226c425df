import assert from "node:assert/strict";
import { test } from "node:test";
import type { Bytes } from "../base/bytes.ts";
import { parseIp } from "../base/ip.ts";
import { decodeArpFrame, encodeGratuitousArp, isGratuitous } from "./arp.ts";
import { parseMac, printMac } from "./ethernet.ts";
import { decodeNeighborAdvertFrame, encodeUnsolicitedAdvert } from "./ndp.ts";

const mac = parseMac("de:9c:cb:96:a7:d9") as Bytes;
const hex = (bytes: Bytes) => Buffer.from(bytes).toString("hex");

test("a gratuitous ARP is the frame that keepalived sends", () => {
  const vip = parseIp("192.168.50.130") as Bytes;
  const frame = encodeGratuitousArp(mac, vip);
  assert.equal(
    hex(frame),
    "ffffffffffffde9ccb96a7d90806" + "0001080006040001" + "de9ccb96a7d9c0a83282" + "ffffffffffffc0a83282",
  );
  const read = decodeArpFrame(frame);
  assert.ok(read.ok && isGratuitous(read.value));
  assert.equal(printMac(read.value.senderMac), "de:9c:cb:96:a7:d9");
});

test("an unsolicited neighbour advertisement is the frame that keepalived sends", () => {
  const vip = parseIp("fe80::130") as Bytes;
  const frame = encodeUnsolicitedAdvert({ target: vip, mac, isRouter: false }, vip);
  assert.equal(
    hex(frame),
    "333300000001de9ccb96a7d986dd" +
      "6000000000203afffe800000000000000000000000000130ff020000000000000000000000000001" +
      "8800053120000000fe8000000000000000000000000001300201de9ccb96a7d9",
  );
  assert.deepEqual(decodeNeighborAdvertFrame(frame), { ok: true, value: { target: vip, mac, isRouter: false } });
});

test("malformed ARP and neighbour frames have their own reasons", () => {
  const arp = encodeGratuitousArp(mac, parseIp("192.0.2.1") as Bytes);
  assert.deepEqual(decodeArpFrame(arp.subarray(0, 41)), { ok: false, reason: "shorter than an ARP frame" });
  const notArp = arp.slice();
  notArp[13] = 0;
  assert.deepEqual(decodeArpFrame(notArp), { ok: false, reason: "not an ARP frame" });
  const frame = encodeUnsolicitedAdvert(
    { target: parseIp("fe80::1") as Bytes, mac, isRouter: true },
    parseIp("fe80::1") as Bytes,
  );
  const change = (at: number, value: number) => {
    const copy = frame.slice();
    copy[at] = value;
    const read = decodeNeighborAdvertFrame(copy);
    return read.ok ? "" : read.reason;
  };
  assert.equal(change(13, 0), "not IPv6");
  assert.equal(change(54, 135), "not a neighbour advertisement");
  assert.equal(change(21, 64), "hop limit is not 255");
  assert.equal(change(19, 99), "IPv6 packet is cut");
  assert.equal(change(60, 1), "wrong ICMPv6 checksum");
});

test("hardware addresses are six pairs of hexadecimal digits", () => {
  for (const text of ["", "aa:bb:cc:dd:ee", "aa:bb:cc:dd:ee:gg", "aabbccddeeff"])
    assert.equal(parseMac(text), undefined);
});
