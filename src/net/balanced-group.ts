/**
 * A group of peers at work in one worker: how one is chosen for a subject, and where the peers are. A service may make more of it
 * (HTTP keeps idle connections with it). Counterpart in nginx: ngx_http_upstream_srv_conf_t, ngx_stream_upstream_srv_conf_t.
 */
import type { PeerSettings } from "../balance/peers.ts";
import type { Balancer } from "../balance/round_robin.ts";
import type { Bytes } from "../base/bytes.ts";
import type { Endpoint } from "../io/stream.ts";
import { parseLocalAddress } from "./upstream-address.ts";

/** A peer that can be connected to. */
export interface Member {
  readonly settings: PeerSettings;
  readonly endpoint: Endpoint;
}

const NO_KEY: Bytes = new Uint8Array(0);

/** What a subject is hashed by; nothing for most algorithms. */
export const noKey = (_subject: unknown): Bytes => NO_KEY;

export class BalancedGroup<S> {
  /** As in the configuration; `host:port` when it has no block. */
  readonly name: string;
  readonly balancer: Balancer;
  readonly keyOf: (subject: S) => Bytes;
  private readonly endpoints: ReadonlyMap<PeerSettings, Endpoint>;
  /** Of peers that have come since. */
  private readonly found = new WeakMap<PeerSettings, Endpoint>();

  constructor(balancer: Balancer, members: readonly Member[], keyOf: (subject: S) => Bytes) {
    this.name = balancer.group.name;
    this.balancer = balancer;
    this.keyOf = keyOf;
    this.endpoints = new Map(members.map(({ settings, endpoint }) => [settings, endpoint]));
  }

  /** Where a peer is: the same object each time, which idle connections are known by. */
  endpointOf(peer: PeerSettings): Endpoint {
    const known = this.endpoints.get(peer) ?? this.found.get(peer);
    if (known !== undefined) return known;
    const endpoint = parseLocalAddress(peer.name) as Endpoint;
    this.found.set(peer, endpoint);
    return endpoint;
  }
}
