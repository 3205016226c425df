/** All upstreams of a configuration: those with a block, and those that a proxied address alone makes. nginx: ngx_http_upstream_add, ngx_stream_upstream_add. */
import { type Group, localGroup, PEER_DEFAULTS } from "../balance/peers.ts";
import { type Balancer, RoundRobin } from "../balance/round_robin.ts";
import type { Bytes } from "../base/bytes.ts";
import type { IpAddress } from "../base/ip.ts";
import type { Debtor } from "../base/zone-ledger.ts";
import type { Endpoint } from "../io/stream.ts";
import type { BalancedGroup, Member } from "./balanced-group.ts";
import { peerName, type UpstreamAddress } from "./upstream-address.ts";
import type { DefinedUpstreams } from "./upstream-blocks.ts";

/** What a balancing module says of an upstream. */
export interface BalancerRules<S> {
  /** Of its directive; the last one wins. */
  readonly order: number;
  create(group: Group): Balancer;
  /** What subjects are hashed by. */
  readonly keyOf?: (subject: S) => Bytes;
  /** The time of a header that it goes by is that of the connection. */
  readonly timesConnection?: boolean;
  /** It knows no backup peers. */
  readonly withoutBackup?: boolean;
}

/** Upstreams that requests or sessions have named (`proxy_pass $host`) and that are remembered; then they are forgotten. */
const MAX_COMPUTED = 4096;

export class Upstreams<U extends BalancedGroup<never>> {
  private readonly named: ReadonlyMap<string, U>;
  /** Of addresses that the configuration names, by host and port. */
  private readonly implicit = new Map<string, U>();
  private computed = new Map<string, U>();

  private readonly defined: DefinedUpstreams<U>;
  private readonly make: (balancer: Balancer, members: readonly Member[]) => U;

  /** `defined`: those with blocks. `make`: one without. */
  constructor(defined: DefinedUpstreams<U>, make: (balancer: Balancer, members: readonly Member[]) => U) {
    this.make = make;
    this.defined = defined;
    this.named = defined.named;
  }

  /** A worker was killed: the requests that it had with peers are no more. */
  settle(debtor: Debtor): void {
    this.defined.settle(debtor);
  }

  /** This worker resolves names for all. */
  startNames(): void {
    for (const one of this.defined.names) one.start();
  }

  stopNames(): void {
    for (const one of this.defined.names) one.stop();
  }

  /** The upstream of an address that the configuration names; `endpoints` are used when it has no block. */
  fixed(address: UpstreamAddress, endpoints: readonly Endpoint[]): U {
    const known = this.known(address);
    if (known !== undefined) return known;
    const made = this.implicitUpstream(address, endpoints);
    this.implicit.set(keyOf(address), made);
    return made;
  }

  /** The upstream that a request names: one of the configuration, or an address; undefined for any other name. */
  find(address: UpstreamAddress): U | undefined {
    return this.known(address) ?? (address.endpoints && this.remembered(keyOf(address), address, address.endpoints));
  }

  /** The upstream of a name that has just been looked up. Its peers are as good as new for every request, as in nginx. */
  resolved(address: UpstreamAddress, ips: readonly IpAddress[]): U {
    const endpoints = ips.map((ip) => ({ ip, port: address.port }));
    if (endpoints.length > 1) return this.implicitUpstream(address, endpoints);
    return this.remembered(`${keyOf(address)} ${endpoints.map(peerName)}`, address, endpoints);
  }

  private known(address: UpstreamAddress): U | undefined {
    const named = address.noPort ? this.named.get(address.host.toLowerCase()) : undefined;
    return named ?? this.implicit.get(keyOf(address));
  }

  /** There is nothing to learn of a single peer, so one object will do for many requests. */
  private remembered(key: string, address: UpstreamAddress, endpoints: readonly Endpoint[]): U {
    let found = this.computed.get(key);
    if (found === undefined) {
      if (this.computed.size >= MAX_COMPUTED) this.computed = new Map();
      found = this.implicitUpstream(address, endpoints);
      this.computed.set(key, found);
    }
    return found;
  }

  /** Those that have blocks. */
  get all(): Iterable<U> {
    return this.named.values();
  }

  private implicitUpstream(address: UpstreamAddress, endpoints: readonly Endpoint[]): U {
    const members = endpoints.map((endpoint) => ({
      endpoint,
      settings: { ...PEER_DEFAULTS, name: peerName(endpoint), server: address.authority },
    }));
    const group = localGroup(
      address.host,
      members.map(({ settings }) => settings),
    );
    return this.make(new RoundRobin(group), members);
  }
}

function keyOf({ host, port }: UpstreamAddress): string {
  return `${host.toLowerCase()}:${port}`;
}
