/** `upstream` blocks become groups of peers: in memory of their zone or of their own, with the names that are resolved at run time. */

import { bitOfStatus, type HealthSettings, initialStatus, statusOfBits } from "../balance/health.ts";
import { NamedMembers, type NamedServer } from "../balance/membership.ts";
import {
  formerDown,
  Group,
  localPeerMemory,
  PEER_DEFAULTS,
  type PeerMemory,
  type PeerSettings,
} from "../balance/peers.ts";
import { type Balancer, RoundRobin } from "../balance/round_robin.ts";
import { formerPeers, type ZonePeers, zonePeers, zoneSlots } from "../balance/zone.ts";
import type { Bytes } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Zone } from "../base/zone.ts";
import type { Debtor } from "../base/zone-ledger.ts";
import type { SharedMemory } from "../io/shared-memory.ts";
import { type BalancedGroup, type Member, noKey } from "./balanced-group.ts";
import type { ResolverSettings } from "./resolver.ts";
import type { Resolvers } from "./resolvers.ts";
import type { Timers } from "./timers.ts";
import { peerName } from "./upstream-address.ts";
import { renewed, UpstreamNames } from "./upstream-names.ts";
import type { UpstreamServer } from "./upstream-servers.ts";
import type { BalancerRules } from "./upstreams.ts";

/** One `upstream` block, as the configuration and the service's modules have it. */
export interface UpstreamBlock<S, U> {
  readonly name: string;
  readonly servers: readonly UpstreamServer[];
  /** The name of its zone; undefined: its peers live in this worker's own memory. */
  readonly zone: string | undefined;
  /** Who is asked for names. A block that needs one was checked for one. */
  readonly resolver: ResolverSettings | undefined;
  readonly resolverTimeoutMs: number;
  readonly balancers: readonly BalancerRules<S>[];
  /** What its active health checks begin with; undefined when it has none. */
  readonly health: Pick<HealthSettings, "mandatory" | "persistent"> | undefined;
  /** Makes of it what the service works with. */
  make(balancer: Balancer, members: readonly Member[], keyOf: (subject: S) => Bytes): U;
}

/** What it takes to make upstreams. */
export interface UpstreamPorts {
  readonly shared: SharedMemory;
  readonly resolvers: Resolvers;
  readonly timers: Timers;
  readonly clock: Clock;
  readonly log: Log;
}

export interface DefinedUpstreams<U> {
  readonly named: ReadonlyMap<string, U>;
  /** What is resolved for them at run time. */
  readonly names: readonly UpstreamNames[];
  /** A worker was killed: the requests that it had with peers are no more. */
  settle(debtor: Debtor): void;
}

/** Makes the upstreams of a service, by name in lower case. */
export function defineUpstreams<S, U extends BalancedGroup<S>>(
  blocks: readonly UpstreamBlock<S, U>[],
  ports: UpstreamPorts,
): DefinedUpstreams<U> {
  const rooms = new ZoneRooms(blocks, ports.shared);
  const named = new Map<string, U>();
  const names: UpstreamNames[] = [];
  for (const block of blocks) {
    const room = rooms.roomOf(block);
    const made = defineUpstream(block, room);
    named.set(block.name.toLowerCase(), made);
    const own = namesOf(block, room, made.balancer, ports);
    if (own !== undefined) names.push(own);
  }
  return { named, names, settle: (debtor) => rooms.settle(debtor) };
}

function defineUpstream<S, U>(block: UpstreamBlock<S, U>, room: Room | undefined): U {
  const { name, servers } = block;
  const healthOf = initialHealth(block.health, room?.formerMemory());
  const withHealth = ({ endpoint, settings }: Member): Member => ({
    endpoint,
    settings: { ...settings, health: healthOf(settings) },
  });
  const primary = servers
    .filter(({ backup }) => !backup)
    .flatMap(membersOf)
    .map(withHealth);
  const backup = servers
    .filter(({ backup }) => backup)
    .flatMap(membersOf)
    .map(withHealth);
  const rules = balancerOf(block.balancers);
  const memory = room?.peers.memory ?? localPeerMemory(primary.length + backup.length);
  const group = new Group(name, memory, settingsOf(primary), settingsOf(backup));
  const balancer = rules === undefined ? new RoundRobin(group) : rules.create(group);
  return block.make(balancer, [...primary, ...backup], rules?.keyOf ?? noKey);
}

/** The last one that the block names. */
export function balancerOf<S>(balancers: readonly BalancerRules<S>[]): BalancerRules<S> | undefined {
  return [...balancers].sort((a, b) => b.order - a.order)[0];
}

/** The names that are resolved for the upstream at run time; undefined when it has none. */
function namesOf<S>(
  block: UpstreamBlock<S, unknown>,
  room: Room | undefined,
  { group }: Balancer,
  { resolvers, timers, clock, log }: UpstreamPorts,
): UpstreamNames | undefined {
  const servers = block.servers.filter(({ resolve }) => resolve !== undefined);
  if (servers.length === 0 || room === undefined) return undefined;
  const healthOf = initialHealth(block.health, room.formerMemory());
  const named = servers.map((server) => namedServer(server, healthOf));
  return new UpstreamNames({
    upstream: block.name,
    members: new NamedMembers(group, room.peers.roster, named, room.formerRoster()),
    servers,
    resolver: resolvers.of(block.resolver as ResolverSettings),
    timeoutMs: block.resolverTimeoutMs,
    hasBackup: balancerOf(block.balancers)?.withoutBackup !== true,
    timers,
    now: () => clock.now(),
    log,
  });
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

/** The bit of DOWN that health checks begin with. `former`: where a peer may have lived before the last reload. */
function initialHealth(
  health: UpstreamBlock<never, unknown>["health"],
  former: PeerMemory | undefined,
): (settings: PeerSettings) => number {
  if (health === undefined) return () => 0;
  return (settings) => {
    const down = former && formerDown(former, settings);
    return bitOfStatus(initialStatus(health, down === undefined ? undefined : statusOfBits(down)));
  };
}

function namedServer(server: UpstreamServer, healthOf: NamedServer["healthOf"]): NamedServer {
  const { name, resolve, settings, backup } = server;
  return {
    key: `${backup ? "backup " : ""}${resolve?.service} ${resolve?.host}`,
    settings: { ...PEER_DEFAULTS, ...settings, server: name },
    healthOf,
    renew: (former) => renewed(server, former),
  };
}

/** What an upstream has of its zone. */
interface Room {
  readonly peers: ZonePeers;
  /** Where its peers lived before the last reload. */
  formerMemory(): PeerMemory | undefined;
  /** Its names' peers before the last reload. */
  formerRoster(): string | undefined;
}

/** What of a block its zone depends on. */
type ZoneUser = Pick<UpstreamBlock<never, unknown>, "name" | "servers" | "zone">;

/** The zones that upstreams live in, and how these share them. */
class ZoneRooms {
  private readonly shared: SharedMemory;
  /** Peers of each upstream by zone. */
  private readonly counts = new Map<string, Map<ZoneUser, number>>();
  private readonly used: ZonePeers[] = [];

  constructor(blocks: readonly ZoneUser[], shared: SharedMemory) {
    this.shared = shared;
    for (const block of blocks) {
      if (block.zone === undefined) continue;
      const counts = this.counts.get(block.zone) ?? new Map<ZoneUser, number>();
      this.counts.set(block.zone, counts);
      counts.set(block, block.servers.flatMap(membersOf).length);
    }
  }

  settle(debtor: Debtor): void {
    for (const peers of this.used) peers.settle(debtor);
  }

  /** Where the peers of an upstream live; undefined when it has no zone. Throws when the zone is too small. */
  roomOf(block: ZoneUser): Room | undefined {
    if (block.zone === undefined) return undefined;
    const counts = this.counts.get(block.zone) as Map<ZoneUser, number>;
    const { name } = block;
    const zone = this.shared.zone(block.zone);
    const slots = zoneSlots(zone.sizeWords, [...counts.values()])?.[[...counts.keys()].indexOf(block)];
    const peers = slots === undefined ? undefined : zonePeers(zone, name, slots);
    if (peers === undefined) throw new RangeError(`no memory in upstream zone "${zone.name}"`);
    this.used.push(peers);
    return { peers, formerMemory: () => formerPeers(zone, name)?.memory, formerRoster: () => formerRoster(zone, name) };
  }
}

function formerRoster(zone: Zone, name: string): string | undefined {
  const former = formerPeers(zone, name);
  if (former === undefined) return undefined;
  former.memory.lock();
  const text = former.roster.read();
  former.memory.unlock();
  return text;
}
