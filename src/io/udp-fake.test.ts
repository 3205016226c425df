import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIp } from "../base/ip.ts";
import { udpCases } from "./udp.cases.ts";
import { FakeUdpNetwork } from "./udp-fake.ts";

function ip(text: string): Uint8Array {
  const address = parseIp(text);
  assert.ok(address);
  return address;
}

udpCases("fake", () => {
  const network = new FakeUdpNetwork({ travel: () => [0], schedule: (_, task) => task() });
  const end = (name: string, last: number) => {
    const [ip4, ip6] = [ip(`10.7.0.${last}`), ip(`fd00::${last}`)];
    return { udp: network.host(name, [ip4, ip6]), ip4, ip6 };
  };
  return { near: end("near", 1), far: end("far", 2), settle: async () => {}, close: () => {} };
});

test("datagrams wait while a host is suspended, as many as a socket holds, and routers on the way take from the hop limit", () => {
  const network = new FakeUdpNetwork({ travel: () => [0, 0], schedule: (_, task) => task(), hops: 3 });
  const near = network.host("near", [ip("10.7.0.1")]);
  const far = network.host("far", [ip("10.7.0.2")]);
  const sourcePorts = { min: 50_000, max: 50_001, first: 50_000 };
  const settings = { destination: ip("10.7.0.2"), port: 1, source: undefined, sourcePorts };
  const limits: number[] = [];
  far.receive(4, 1, (_, { hopLimit }) => limits.push(hopLimit));
  const sender = near.sender({ ...settings, hopLimit: 255 });
  far.isPaused = true;
  for (let i = 0; i < 150; i++) sender.send(new Uint8Array(24));
  assert.equal(limits.length, 0);
  far.deliver();
  assert.deepEqual([limits.length, limits[0]], [200, 252]);
  far.isPaused = false;
  near.sender({ ...settings, hopLimit: 3 }).send(new Uint8Array(24));
  assert.equal(limits.length, 200, "it got no further than its hop limit");
  near.sendFailure = -100;
  assert.equal(sender.send(new Uint8Array(24)), -100);
  assert.equal(network.datagrams, 150);
});
