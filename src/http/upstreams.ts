/** All upstreams of a configuration: those with a block, and those that a proxied address alone makes. nginx: ngx_http_upstream_add. */
import {
  Group,
  localGroup,
  localPeerMemory,
  PEER_DEFAULTS,
  type PeerMemory,
  type PeerSettings,
} from "../balance/peers.ts";
import { type Balancer, RoundRobin } from "../balance/round_robin.ts";
import { zonePeers, zoneSlots } from "../balance/zone.ts";
import type { Bytes } from "../base/bytes.ts";
import type { IpAddress } from "../base/ip.ts";
import type { Scope } from "../conf/scope.ts";
import type { SharedMemory } from "../io/shared-memory.ts";
import type { Endpoint } from "../io/stream.ts";
import { keepAliveOf, type UpstreamServer, upstream } from "./modules/upstream.ts";
import { upstreamZone } from "./modules/upstream_zone.ts";
import type { Request } from "./request.ts";
import type { Sticky } from "./sticky.ts";
import { peerName, type UpstreamAddress } from "./upstream-address.ts";
import { type Member, noKey, Upstream } from "./upstream-group.ts";

/** What a balancing module says of an upstream. */
export interface BalancerRules {
  /** Of its directive; the last one wins. */
  readonly order: number;
  create(group: Group): Balancer;
  /** What requests are hashed by. */
  readonly keyOf?: (request: Request) => Bytes;
}

/** What the modules say of an upstream. */
export interface UpstreamParts {
  readonly balancers: readonly BalancerRules[];
  readonly sticky: Sticky | undefined;
}

/** Upstreams that requests have named (`proxy_pass http://$host`) and that are remembered; then they are forgotten. */
const MAX_COMPUTED = 4096;

export class Upstreams {
  private readonly named = new Map<string, Upstream>();
  /** Of addresses that the configuration names, by host and port. */
  private readonly implicit = new Map<string, Upstream>();
  private computed = new Map<string, Upstream>();

  /** Makes the upstreams that have blocks. `partsOf` asks the modules. */
  define(http: Scope, shared: SharedMemory, partsOf: (scope: Scope) => UpstreamParts): void {
    const zones = new ZoneRooms(http, shared);
    for (const { header, scope } of http.conf(upstream).upstream) {
      const { server } = scope.conf(upstream);
      const members = server.flatMap(membersOf);
      const isBackup = new Set(server.filter((one) => one.backup).flatMap((one) => one.endpoints));
      const primary = members.filter(({ endpoint }) => !isBackup.has(endpoint));
      const backup = members.filter(({ endpoint }) => isBackup.has(endpoint));
      const { balancers, sticky } = partsOf(scope);
      const rules = [...balancers].sort((a, b) => b.order - a.order)[0];
      const memory = zones.memoryFor(header, scope) ?? localPeerMemory(members.length);
      const group = new Group(header, memory, settingsOf(primary), settingsOf(backup));
      const balancer = rules === undefined ? new RoundRobin(group) : rules.create(group);
      const options = { keyOf: rules?.keyOf ?? noKey, keepAlive: keepAliveOf(scope.conf(upstream)), sticky };
      this.named.set(header.toLowerCase(), new Upstream(balancer, members, options));
    }
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

  closeIdle(): void {
    for (const one of this.named.values()) one.closeIdle();
  }
}

/** The zones that upstreams live in, and how these share them. */
class ZoneRooms {
  private readonly shared: SharedMemory;
  /** Peers of each upstream by zone. */
  private readonly counts = new Map<string, Map<Scope, number>>();

  constructor(http: Scope, shared: SharedMemory) {
    this.shared = shared;
    for (const { scope } of http.conf(upstream).upstream) {
      const { zone } = scope.conf(upstreamZone);
      if (zone === undefined) continue;
      const counts = this.counts.get(zone.name) ?? new Map<Scope, number>();
      this.counts.set(zone.name, counts);
      counts.set(scope, scope.conf(upstream).server.flatMap(membersOf).length);
    }
  }

  /** Where the peers of an upstream live; undefined when it has no zone. Throws when the zone is too small. */
  memoryFor(name: string, scope: Scope): PeerMemory | undefined {
    const { zone: declared } = scope.conf(upstreamZone);
    const counts = declared && this.counts.get(declared.name);
    if (counts === undefined) return undefined;
    const zone = this.shared.zone(declared?.name as string);
    const slots = zoneSlots(zone.sizeWords, [...counts.values()])?.[[...counts.keys()].indexOf(scope)];
    const peers = slots === undefined ? undefined : zonePeers(zone, name, slots);
    if (peers === undefined) throw new RangeError(`no memory in upstream zone "${zone.name}"`);
    return peers.memory;
  }
}

function membersOf(server: UpstreamServer): readonly Member[] {
  return server.endpoints.map((endpoint) => ({
    endpoint,
    settings: { ...PEER_DEFAULTS, ...server.settings, name: peerName(endpoint), server: server.name },
  }));
}

function settingsOf(members: readonly Member[]): readonly PeerSettings[] {
  return members.map(({ settings }) => settings);
}

function keyOf({ host, port }: UpstreamAddress): string {
  return `${host.toLowerCase()}:${port}`;
}

function implicitUpstream(address: UpstreamAddress, endpoints: readonly Endpoint[]): Upstream {
  const members = endpoints.map((endpoint) => ({
    endpoint,
    settings: { ...PEER_DEFAULTS, name: peerName(endpoint), server: address.authority },
  }));
  const group = localGroup(address.host, settingsOf(members));
  return new Upstream(new RoundRobin(group), members, { keyOf: noKey, keepAlive: undefined, sticky: undefined });
}
