import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { equalBytes } from "../../base/bytes.ts";
import { decodeLink } from "./link.ts";
import { HOST_LITTLE_ENDIAN } from "./message.ts";
import {
  encodeIpv4Conf,
  encodeNoGeneratedAddress,
  encodeVirtualLink,
  ipv4ConfIn,
  MACVLAN_MODE_PRIVATE,
  virtualLinkInfo,
} from "./virtual-link.ts";

const onLittleEndian = { skip: HOST_LITTLE_ENDIAN ? false : "the expected bytes are those of a little-endian machine" };
const mac = Uint8Array.of(0, 0, 0x5e, 0, 1, 51);

function hex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/[0-9a-f]{2}/g) ?? [], (pair) => Number.parseInt(pair, 16));
}

test("a private macvlan with the virtual MAC address is what is asked for", () => {
  const body = encodeVirtualLink({ name: "vrrp.51", baseIndex: 3, group: 7, kind: { macvlan: { mac } } });
  const link = decodeLink(body);
  assert.ok(link.ok);
  const none = { ipvlanMode: undefined, ipvlanFlags: undefined };
  assert.deepEqual(virtualLinkInfo(link.value.attributes), {
    ...none,
    kind: "macvlan",
    baseIndex: 3,
    group: 7,
    macvlanMode: MACVLAN_MODE_PRIVATE,
  });
  assert.ok(equalBytes(link.value.attributes.get(1) ?? mac.subarray(1), mac));
});

test("an ipvlan of layer 2 has its flags", () => {
  const kind = { ipvlan: { flags: "vepa" } } as const;
  const link = decodeLink(encodeVirtualLink({ name: "iv", baseIndex: 3, group: undefined, kind }));
  assert.ok(link.ok);
  const { kind: name, ipvlanMode, ipvlanFlags } = virtualLinkInfo(link.value.attributes);
  assert.deepEqual([name, ipvlanMode, ipvlanFlags], ["ipvlan", 0, 2]);
});

test("settings of IPv4 and IPv6 are nested as the kernel expects them", onLittleEndian, () => {
  const header = "00000000 05000000 00000000 00000000";
  assert.deepEqual(
    encodeIpv4Conf(5, { arpIgnore: 1, rpFilter: 0 }),
    hex(`${header} 1c001a80 18000280 14000180 0800 1300 01000000 0800 0800 00000000`),
  );
  assert.deepEqual(encodeNoGeneratedAddress(5), hex(`${header} 10001a80 0c000a80 05000800 01000000`));
});

test("the kernel's list of settings is read by their numbers, and no bytes are trusted", () => {
  const conf = new Uint8Array(32 * 4);
  new DataView(conf.buffer).setInt32(18 * 4, 1, HOST_LITTLE_ENDIAN);
  const inet = Uint8Array.of(conf.length + 4, 0, 1, 0, ...conf);
  const spec = Uint8Array.of(inet.length + 4, 0, 2, 0, ...inet);
  assert.equal(ipv4ConfIn(new Map([[26, spec]]), "arpIgnore"), 1);
  assert.equal(ipv4ConfIn(new Map([[26, spec]]), "arpFilter"), 0);
  assert.equal(ipv4ConfIn(new Map(), "arpFilter"), undefined);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.uint8Array({ maxLength: 60 }), (first, second) => {
      const attributes = new Map([
        [26, first],
        [18, second],
        [5, first],
      ]);
      ipv4ConfIn(attributes, "acceptLocal");
      virtualLinkInfo(attributes);
    }),
  );
});

test("names, bases and groups survive the way to bytes and back", () => {
  const index = fc.integer({ min: 1, max: 0x7fffffff });
  fc.assert(
    fc.property(index, index, fc.uint8Array({ minLength: 6, maxLength: 6 }), (baseIndex, group, address) => {
      const link = decodeLink(encodeVirtualLink({ name: "v", baseIndex, group, kind: { macvlan: { mac: address } } }));
      assert.ok(link.ok);
      const read = virtualLinkInfo(link.value.attributes);
      assert.deepEqual([read.baseIndex, read.group], [baseIndex, group]);
      assert.deepEqual(link.value.attributes.get(1), address);
    }),
  );
});
