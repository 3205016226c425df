import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIp } from "../base/ip.ts";
import { segmentCases } from "./segment.cases.ts";
import { FakeSwitch } from "./segment-fake.ts";

function ip(text: string): Uint8Array {
  const address = parseIp(text);
  assert.ok(address);
  return address;
}

segmentCases("fake", () => {
  const neighbors: string[] = [];
  const fabric = new FakeSwitch({
    travel: () => [0],
    schedule: (_, task) => task(),
    onFrame: (_, frame) => {
      const mac = Array.from(frame.subarray(22, 28), (byte) => byte.toString(16).padStart(2, "0")).join(":");
      neighbors.push(`${frame.subarray(28, 32).join(".")} ${mac}`);
    },
  });
  const end = (name: string, last: number) => ({
    segments: fabric.port(name),
    link: { index: 1, name: "eth0" },
    ip4: ip(`10.7.0.${last}`),
    ip6: ip(`fe80::${last}`),
  });
  return {
    near: end("near", 1),
    far: end("far", 2),
    settle: async () => {},
    neighbors: () => neighbors,
    close: () => {},
  };
});

test("packets wait while the process of a port is suspended, as many as a socket holds", () => {
  const fabric = new FakeSwitch({ travel: () => [0], schedule: (_, task) => task() });
  const [near, far] = [fabric.port("near"), fabric.port("far")];
  const group = ip("224.0.0.18");
  const settings = { link: undefined, family: 4, group, source: ip("10.7.0.1"), hopLimit: 255 } as const;
  let heard = 0;
  const sender = near.openAdverts({ ...settings, receiveBufferBytes: undefined }, () => {});
  far.openAdverts({ ...settings, receiveBufferBytes: undefined }, () => heard++);
  far.isPaused = true;
  for (let i = 0; i < 1000; i++) sender.send(new Uint8Array(28), group);
  assert.equal(heard, 0);
  far.deliver();
  assert.equal(heard, 200);
  near.sendFailure = -100;
  assert.equal(sender.send(new Uint8Array(28), group), -100);
});
