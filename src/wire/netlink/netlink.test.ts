import assert from "node:assert/strict";
import { test } from "node:test";
import { concatBytes, fromUtf8 } from "../../base/bytes.ts";
import { parseIp, printIp } from "../../base/ip.ts";
import { decodeAddress, encodeAddress, IFA_F_NODAD, IFA_F_NOPREFIXROUTE, LIFETIME_FOREVER } from "./address.ts";
import {
  attribute,
  attributeText,
  attributeU32,
  decodeAttributes,
  nested,
  nestedIn,
  textIn,
  u32In,
} from "./attributes.ts";
import { decodeAck } from "./error.ts";
import { decodeLink, encodeLink, IFLA_IFNAME, IFLA_INFO_KIND, IFLA_LINKINFO, linkKind } from "./link.ts";
import { decodeMessages, encodeMessage, HOST_LITTLE_ENDIAN } from "./message.ts";

const onLittleEndian = { skip: HOST_LITTLE_ENDIAN ? false : "the expected bytes are those of a little-endian machine" };

function hex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/[0-9a-f]{2}/g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function ip(text: string): Uint8Array {
  const address = parseIp(text);
  assert.ok(address);
  return address;
}

test("adding 192.168.50.130/32 to link 2 is the request that the kernel expects", onLittleEndian, () => {
  const body = encodeAddress({
    linkIndex: 2,
    ip: ip("192.168.50.130"),
    prefixLength: 32,
    peer: undefined,
    broadcast: undefined,
    label: undefined,
    scope: 0,
    flags: 0,
    preferredS: undefined,
    validS: undefined,
  });
  assert.deepEqual(
    encodeMessage({ type: 20, flags: 0x505, sequence: 1, body }),
    hex("28000000 1400 0505 01000000 00000000  02 20 00 00 02000000  0800 0200 c0a83282  0800 0100 c0a83282"),
  );
});

test("every option of an address survives the way to bytes and back", () => {
  for (const address of [
    {
      linkIndex: 7,
      ip: ip("10.0.0.1"),
      prefixLength: 30,
      peer: ip("10.0.0.2"),
      broadcast: ip("10.0.0.3"),
      label: "eth0:vip",
      scope: 253,
      flags: IFA_F_NOPREFIXROUTE,
      preferredS: 60,
      validS: LIFETIME_FOREVER,
    },
    {
      linkIndex: 7,
      ip: ip("2001:db8::130"),
      prefixLength: 64,
      peer: undefined,
      broadcast: undefined,
      label: undefined,
      scope: 0,
      flags: IFA_F_NODAD,
      preferredS: undefined,
      validS: undefined,
    },
  ]) {
    const result = decodeAddress(encodeAddress(address));
    assert.ok(result.ok);
    assert.deepEqual(result.value, address);
  }
});

test("an IPv6 address is read from IFA_ADDRESS where the kernel sends no IFA_LOCAL", () => {
  const header = Uint8Array.of(10, 64, 0, 0, 0, 0, 0, 0);
  const result = decodeAddress(concatBytes([header, attribute(1, ip("2001:db8::1"))]));
  assert.ok(result.ok);
  assert.equal(printIp(result.value.ip), "2001:db8::1");
  assert.equal(result.value.peer, undefined);
});

test("an address message without an address, or of another family, is malformed", () => {
  for (const [bytes, reason] of [
    [Uint8Array.of(2, 32, 0), "address message cut short"],
    [Uint8Array.of(2, 32, 0, 0, 1, 0, 0, 0), "address message without an address"],
    [Uint8Array.of(7, 32, 0, 0, 1, 0, 0, 0), "address message of a foreign family"],
    [
      concatBytes([Uint8Array.of(2, 32, 0, 0, 1, 0, 0, 0), attribute(2, ip("::1"))]),
      "address message without an address",
    ],
  ] as const)
    assert.deepEqual(decodeAddress(bytes), { ok: false, reason });
});

test("a link's kind is inside its nested information", () => {
  const info = nested(IFLA_LINKINFO, [attributeText(IFLA_INFO_KIND, "veth")]);
  const result = decodeLink(encodeLink({ index: 3, flags: 0x1043 }, [attributeText(IFLA_IFNAME, "eth0"), info]));
  assert.ok(result.ok);
  assert.equal(result.value.index, 3);
  assert.equal(result.value.flags, 0x1043);
  assert.equal(textIn(result.value.attributes, IFLA_IFNAME), "eth0");
  assert.equal(linkKind(result.value.attributes), "veth");
  assert.equal(linkKind(new Map()), undefined);
  const kind = nestedIn(result.value.attributes, IFLA_LINKINFO);
  assert.ok(kind.ok && kind.value.size === 1);
});

test("attributes are padded to four bytes, and the last of a repeated type counts", onLittleEndian, () => {
  assert.deepEqual(attribute(3, fromUtf8("ab\0")), hex("0700 0300 616200 00"));
  const result = decodeAttributes(concatBytes([attributeU32(4, 1), attribute(3, fromUtf8("x")), attributeU32(4, 2)]));
  assert.ok(result.ok);
  assert.equal(u32In(result.value, 4), 2);
  assert.equal(textIn(result.value, 3), "x");
  assert.equal(u32In(result.value, 3), undefined);
});

test("lengths that lie are malformed", onLittleEndian, () => {
  assert.equal(decodeAttributes(hex("0300 0100")).ok, false);
  assert.equal(decodeAttributes(hex("0900 0100 00000000")).ok, false);
  assert.equal(decodeAttributes(hex("0400 01")).ok, false);
  assert.equal(decodeMessages(hex("0f000000 0200 0000 00000000 00000000")).ok, false);
  assert.equal(decodeMessages(hex("11000000 0200 0000 00000000 00000000")).ok, false);
  assert.equal(decodeMessages(hex("10000000 0200")).ok, false);
});

test("several messages of one datagram are told apart", () => {
  const one = encodeMessage({ type: 16, flags: 2, sequence: 5, body: Uint8Array.of(1, 2, 3, 4) });
  const two = encodeMessage({ type: 3, flags: 2, sequence: 5, body: new Uint8Array(0) });
  const result = decodeMessages(concatBytes([one, two]));
  assert.ok(result.ok);
  assert.deepEqual(
    result.value.map((message) => [message.type, message.body.length]),
    [
      [16, 4],
      [3, 0],
    ],
  );
});

test("a refusal carries its errno and the kernel's words", onLittleEndian, () => {
  const request = encodeMessage({ type: 20, flags: 5, sequence: 9, body: new Uint8Array(8) });
  const errno = hex("eaffffff"); // -22
  const words = attributeText(1, "ipv4: Invalid prefix length");
  const capped = decodeAck(concatBytes([errno, request.subarray(0, 16), words]), 0x300);
  assert.deepEqual(capped, {
    ok: true,
    value: { errno: 22, reason: "ipv4: Invalid prefix length", offsetBytes: undefined },
  });
  const whole = decodeAck(concatBytes([errno, request, words, attributeU32(2, 20)]), 0x200);
  assert.deepEqual(whole, {
    ok: true,
    value: { errno: 22, reason: "ipv4: Invalid prefix length", offsetBytes: 20 },
  });
  assert.equal(decodeAck(concatBytes([errno, request]), 0).ok, true);
  assert.equal(decodeAck(errno, 0).ok, false);
  assert.equal(decodeAck(concatBytes([errno, hex("ff000000 1400 0500 09000000 00000000")]), 0x200).ok, false);
});
