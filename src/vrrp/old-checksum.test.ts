/** `old_unicast_checksum`: what keepalived summed up before 1.3.6, in both directions. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { VrrpInstance } from "../conf/keepalived/config.ts";
import { advertChecksum, encodeAdvert, VRRP_GROUP_4 } from "../wire/vrrp/advert.ts";
import { judge } from "./accept.ts";
import { advertPackets } from "./advert-packets.ts";
import { exampleInstance, ip } from "./example.ts";
import { AdvertSecurity } from "./security.ts";

const [OWN, PEER] = [ip("192.168.50.133"), ip("192.168.50.134")];

function unicast(unicastChecksum: VrrpInstance["unicastChecksum"]): VrrpInstance {
  const peer = { address: PEER, minTtl: undefined, maxTtl: undefined, at: { file: "a", line: 1 } };
  return exampleInstance({ version: 3, unicast: true, unicastPeers: [peer], unicastChecksum });
}

function verdict(settings: VrrpInstance, destination: Uint8Array): string {
  const advert = {
    version: 3,
    vrid: 33,
    priority: 200,
    intervalCs: 100,
    authType: 0,
    password: new Uint8Array(0),
    addresses: settings.addresses.map(({ address }) => address),
  } as const;
  const message = encodeAdvert(advert, { source: PEER, destination });
  const packet = { source: PEER, destination: OWN, hopLimit: 255, headerBytes: 20, message };
  const memory = { lastSource: undefined, security: new AdvertSecurity(settings), wallMs: 0 };
  const result = judge(settings, packet, memory);
  return result.kind === "drop" ? result.reason : result.hasOldChecksum === true ? "old" : "new";
}

test("a peer's way is found out, unless one of the two is configured", () => {
  assert.deepEqual([verdict(unicast("auto"), OWN), verdict(unicast("auto"), VRRP_GROUP_4)], ["new", "old"]);
  assert.deepEqual([verdict(unicast("old"), OWN), verdict(unicast("old"), VRRP_GROUP_4)], ["checksum", "new"]);
  assert.deepEqual([verdict(unicast("never"), OWN), verdict(unicast("never"), VRRP_GROUP_4)], ["new", "checksum"]);
  assert.equal(verdict(unicast("auto"), PEER), "checksum");
  const multicast = exampleInstance({ version: 3 });
  assert.equal(verdict(multicast, VRRP_GROUP_4), "checksum", "it came to our own address");
});

test("adverts are summed up the old way when it is said", () => {
  const request = { priority: 100, source: OWN, ahSequence: 0, trailer: () => new Uint8Array(0), nextId: () => 1 };
  for (const [mode, summed] of [
    ["auto", PEER],
    ["never", PEER],
    ["old", VRRP_GROUP_4],
  ] as const) {
    const [packet] = advertPackets(unicast(mode), request);
    assert.ok(packet);
    assert.equal(advertChecksum(packet.bytes.subarray(20), { source: OWN, destination: summed }), 0, mode);
  }
});
