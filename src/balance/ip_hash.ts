/**
 * The client's network decides: the first three bytes of an IPv4 address, all of an IPv6 one. After 20 peers in vain, round
 * robin. nginx: ngx_http_upstream_ip_hash_module.
 */
import type { Bytes } from "../base/bytes.ts";
import type { Pick } from "./pick.ts";
import { RoundRobin } from "./round_robin.ts";

/** Peers in vain after which a hashing algorithm leaves it to round robin. */
export const MAX_MISSES = 20;

const HASH_START = 89;
/** What a client without an address (a unix socket) counts as. */
const NO_ADDRESS = new Uint8Array(3);
const IPV4_BYTES = 3;

export class IpHash extends RoundRobin {
  override begin(pick: Pick, address: Bytes): void {
    const key = address.length === 16 ? address : address.length === 0 ? NO_ADDRESS : address.subarray(0, IPV4_BYTES);
    super.begin(pick, key);
    pick.hash = HASH_START;
  }

  protected override choose(pick: Pick, nowMs: number): boolean {
    const { peers, key } = pick;
    if (pick.misses > MAX_MISSES || peers.count < 2) return super.choose(pick, nowMs);
    const nowS = Math.floor(nowMs / 1000);
    const sticky = this.hinted(pick, nowS);
    if (sticky >= 0) return this.take(pick, sticky, nowS) >= 0;
    let hash = pick.hash;
    for (;;) {
      for (let i = 0; i < key.length; i++) hash = (hash * 113 + (key[i] as number)) % 6271;
      const index = byWeight(pick, hash % peers.totalWeight);
      if (pick.eligible(index, nowS)) {
        pick.hash = hash;
        return this.take(pick, index, nowS) >= 0;
      }
      if (++pick.misses > MAX_MISSES) return super.choose(pick, nowMs);
    }
  }
}

/** Index of the peer that holds unit `unit` of the total weight, 0 … totalWeight − 1. */
export function byWeight({ peers }: Pick, unit: number): number {
  let index = 0;
  while (unit >= peers.weight(index)) {
    unit -= peers.weight(index);
    index++;
  }
  return index;
}
