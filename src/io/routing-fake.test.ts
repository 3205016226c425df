import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIp } from "../base/ip.ts";
import { routingCases } from "./routing.cases.ts";
import { FakeRouting } from "./routing-fake.ts";

routingCases("fake", () => {
  const routing = new FakeRouting([{ name: "lo", isLoopback: true }, { name: "eth0" }]);
  return {
    routing,
    settle: async () => routing.deliver(),
    setCarrier: (linkIndex, carrier) => routing.setCarrier(linkIndex, carrier),
    destroyLink: (linkIndex) => routing.destroyLink(linkIndex),
    overrun: (linkIndex) => {
      routing.removeAddress({ linkIndex, ip: Uint8Array.of(10, 9, 0, 1), prefixLength: 32 });
      routing.addAddress({ linkIndex, ip: Uint8Array.of(10, 9, 0, 2), prefixLength: 32 });
    },
    close: () => {},
  };
});

test("the fake fails on demand", () => {
  const routing = new FakeRouting([{ name: "eth0" }]);
  routing.failWith({ errno: 1, message: "EPERM" });
  const ip = parseIp("10.0.0.1");
  assert.ok(ip);
  assert.equal(routing.addAddress({ linkIndex: 1, ip, prefixLength: 32 })?.errno, 1);
  assert.equal(routing.addresses().length, 0);
});
