/** All upstreams of a configuration: those with a block, and those that a proxied address alone makes. nginx: ngx_http_upstream_add. */
import type { HealthSettings } from "../balance/health.ts";
import { type Group, localGroup, PEER_DEFAULTS } from "../balance/peers.ts";
import { type Balancer, RoundRobin } from "../balance/round_robin.ts";
import type { Bytes } from "../base/bytes.ts";
import type { IpAddress } from "../base/ip.ts";
import type { Debtor } from "../base/zone-ledger.ts";
import type { Endpoint } from "../io/stream.ts";
import type { Request } from "./request.ts";
import type { Sticky } from "./sticky.ts";
import { peerName, type UpstreamAddress } from "./upstream-address.ts";
import type { DefinedUpstreams } from "./upstream-blocks.ts";
import { noKey, Upstream } from "./upstream-group.ts";

/** What a balancing module says of an upstream. */
export interface BalancerRules {
  /** Of its directive; the last one wins. */
  readonly order: number;
  create(group: Group): Balancer;
  /** What requests are hashed by. */
  readonly keyOf?: (request: Request) => Bytes;
  /** It knows no backup peers. */
  readonly withoutBackup?: boolean;
}

/** What the modules say of an upstream. */
export interface UpstreamParts {
  readonly balancers: readonly BalancerRules[];
  readonly sticky: Sticky | undefined;
  /** What its active health checks begin with; undefined when it has none. */
  readonly health: Pick<HealthSettings, "mandatory" | "persistent"> | undefined;
}

/** Upstreams that requests have named (`proxy_pass http://$host`) and that are remembered; then they are forgotten. */
const MAX_COMPUTED = 4096;

export class Upstreams {
  private readonly named: ReadonlyMap<string, Upstream>;
  /** Of addresses that the configuration names, by host and port. */
  private readonly implicit = new Map<string, Upstream>();
  private computed = new Map<string, Upstream>();

  private readonly defined: DefinedUpstreams;

  /** `defined`: those with blocks. */
  constructor(defined: DefinedUpstreams) {
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
  fixed(address: UpstreamAddress, endpoints: readonly Endpoint[]): Upstream {
    const known = this.known(address);
    if (known !== undefined) return known;
    const made = implicitUpstream(address, endpoints);
    this.implicit.set(keyOf(address), made);
    return made;
  }

  /** The upstream that a request names: one of the configuration, or an address; undefined for any other name. */
  find(address: UpstreamAddress): Upstream | undefined {
    return this.known(address) ?? (address.endpoints && this.remembered(keyOf(address), address, address.endpoints));
  }

  /** The upstream of a name that has just been looked up. Its peers are as good as new for every request, as in nginx. */
  resolved(address: UpstreamAddress, ips: readonly IpAddress[]): Upstream {
    const endpoints = ips.map((ip) => ({ ip, port: address.port }));
    if (endpoints.length > 1) return implicitUpstream(address, endpoints);
    return this.remembered(`${keyOf(address)} ${endpoints.map(peerName)}`, address, endpoints);
  }

  private known(address: UpstreamAddress): Upstream | undefined {
    const named = address.noPort ? this.named.get(address.host.toLowerCase()) : undefined;
    return named ?? this.implicit.get(keyOf(address));
  }

  /** There is nothing to learn of a single peer, so one object will do for many requests. */
  private remembered(key: string, address: UpstreamAddress, endpoints: readonly Endpoint[]): Upstream {
    let found = this.computed.get(key);
    if (found === undefined) {
      if (this.computed.size >= MAX_COMPUTED) this.computed = new Map();
      found = implicitUpstream(address, endpoints);
      this.computed.set(key, found);
    }
    return found;
  }

  /** Those that have blocks. */
  get all(): Iterable<Upstream> {
    return this.named.values();
  }

  closeIdle(): void {
    for (const one of this.named.values()) one.closeIdle();
  }
}

function keyOf({ host, port }: UpstreamAddress): string {
  return `${host.toLowerCase()}:${port}`;
}

function implicitUpstream(address: UpstreamAddress, endpoints: readonly Endpoint[]): Upstream {
  const members = endpoints.map((endpoint) => ({
    endpoint,
    settings: { ...PEER_DEFAULTS, name: peerName(endpoint), server: address.authority },
  }));
  const group = localGroup(
    address.host,
    members.map(({ settings }) => settings),
  );
  return new Upstream(new RoundRobin(group), members, {
    keyOf: noKey,
    keepAlive: undefined,
    sticky: undefined,
    queue: undefined,
  });
}
