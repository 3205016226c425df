/** A session as keepalived's defaults make it: where tests and the simulation begin, changing what they care about. */
import { assert } from "../base/assert.ts";
import { type IpAddress, parseIp } from "../base/ip.ts";
import type { BfdInstance } from "../conf/keepalived/config.ts";

/** An address that has to parse. */
export function ip(text: string): IpAddress {
  const address = parseIp(text);
  assert(address !== undefined, `an address: ${text}`);
  return address;
}

/** `peer`, packets every 10 ms, gone after five. */
export function exampleBfd(changes: Partial<BfdInstance> = {}): BfdInstance {
  return {
    name: "peer",
    neighbor: ip("192.168.50.134"),
    source: undefined,
    minRxUs: 10_000,
    minTxUs: 10_000,
    idleTxUs: 1_000_000,
    multiplier: 5,
    passive: false,
    ttl: 255,
    maxHops: 0,
    multihop: false,
    weight: 0,
    weightReverse: false,
    at: { file: "example.conf", line: 1 },
    where: new Map(),
    ...changes,
  };
}
