import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { udpCases } from "../io/udp.cases.ts";
import { inPrivateNetwork } from "./private-network.cases.ts";
import { openRouting } from "./routing.ts";
import { KernelUdp } from "./udp.ts";

inPrivateNetwork(import.meta.url, () => {
  const routing = openRouting();
  const loopback = routing.link("lo");
  assert.ok(loopback);
  routing.setLinkUp(loopback.index, true);
  const end = (last: number) => {
    const ip4 = Uint8Array.of(10, 7, 0, last);
    const ip6 = Uint8Array.from([0xfd, ...new Array(14).fill(0), last]);
    routing.addAddress({ linkIndex: loopback.index, ip: ip4, prefixLength: 32 });
    routing.addAddress({ linkIndex: loopback.index, ip: ip6, prefixLength: 128, nodad: true });
    return { udp: new KernelUdp(), ip4, ip6 };
  };
  udpCases("kernel", () => ({ near: end(1), far: end(2), settle: () => sleep(50), close: () => {} }));
});
