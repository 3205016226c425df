import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeSwitch } from "../io/segment-fake.ts";
import { encodeIpv4 } from "../wire/ipv4.ts";
import { VRRP_GROUP_4 } from "../wire/vrrp/advert.ts";
import { AH_PROTOCOL, encodeAh } from "../wire/vrrp/ah.ts";
import type { ReceivedAdvert } from "./accept.ts";
import { ip } from "./example.ts";
import { SegmentPool } from "./segment-pool.ts";

const source = ip("192.168.50.133");
const settings = { link: undefined, family: 4, group: VRRP_GROUP_4, source, hopLimit: 255 } as const;
const message = Uint8Array.of(0x31, 33, 100, 0, 0, 100, 0, 0);
const fields = { source: ip("192.168.50.134"), destination: VRRP_GROUP_4, ttl: 255, tos: 0xc0, id: 1 };

function pool() {
  const fabric = new FakeSwitch({ travel: () => [0], schedule: (_, task) => task() });
  const port = fabric.port("own");
  const unknown: number[] = [];
  const open = new SegmentPool(
    port,
    (vrid) => unknown.push(vrid),
    () => {},
  );
  const inject = (packet: Uint8Array): void => fabric.port("other").inject(packet, VRRP_GROUP_4);
  return { open, port, unknown, inject };
}

test("routers of one socket have the room of all of them in its receive buffer", () => {
  const { open, port } = pool();
  const join = (receiveBufferBytes: number | undefined, vrid: number) =>
    open.join({ ...settings, receiveBufferBytes }, vrid, () => {});
  join(1000, 1);
  const second = join(2500, 2);
  join(undefined, 3);
  second.leave();
  assert.deepEqual(port.receiveBuffers, [3500, 3500, 1000]);
  const { open: other, port: unasked } = pool();
  for (const vrid of [1, 2]) other.join({ ...settings, receiveBufferBytes: undefined }, vrid, () => {});
  assert.deepEqual(unasked.receiveBuffers, []);
});

test("a router in an authentication header and one without hear each their own packets", () => {
  const { open, unknown, inject } = pool();
  const heard: [string, ReceivedAdvert][] = [];
  const join = (name: string, vrid: number, protocol?: number): void => {
    const how = protocol === undefined ? settings : { ...settings, protocol };
    open.join({ ...how, receiveBufferBytes: undefined }, vrid, (packet) => heard.push([name, packet]));
  };
  join("plain", 33);
  join("ah", 33, AH_PROTOCOL);
  inject(encodeIpv4({ ...fields, protocol: 112 }, message));
  inject(encodeAh(fields, 7, message, { password: new Uint8Array(8), isUnicast: false }));
  assert.deepEqual(
    heard.map(([name, { id, headerBytes, ah, message: inner }]) => [name, id, headerBytes, ah?.header.sequence, inner]),
    [
      ["plain", 1, 20, undefined, message],
      ["ah", 1, 44, 7, message],
    ],
  );
  inject(encodeIpv4({ ...fields, protocol: AH_PROTOCOL }, new Uint8Array(20)));
  inject(
    encodeAh(fields, 8, Uint8Array.of(0x31, 34, 100, 0, 0, 100, 0, 0), {
      password: new Uint8Array(8),
      isUnicast: false,
    }),
  );
  assert.equal(heard.length, 2);
  assert.deepEqual(unknown, [34]);
});
