/** `upstream` blocks become groups of peers: in memory of their zone or of their own, with the names that are resolved at run time. */

import { bitOfStatus, initialStatus, statusOfBits } from "../balance/health.ts";
import { NamedMembers, type NamedServer } from "../balance/membership.ts";
import {
  formerDown,
  Group,
  localPeerMemory,
  PEER_DEFAULTS,
  type PeerMemory,
  type PeerSettings,
} from "../balance/peers.ts";
import { RoundRobin } from "../balance/round_robin.ts";
import { formerPeers, type ZonePeers, zonePeers, zoneSlots } from "../balance/zone.ts";
import type { Zone } from "../base/zone.ts";
import type { Debtor } from "../base/zone-ledger.ts";
import type { Scope } from "../conf/scope.ts";
import type { SharedMemory } from "../io/shared-memory.ts";
import type { ResolverSettings } from "../net/resolver.ts";
import { core } from "./modules/core.ts";
import { keepAliveOf, type UpstreamServer, upstream } from "./modules/upstream.ts";
import { upstreamZone } from "./modules/upstream_zone.ts";
import { peerName } from "./upstream-address.ts";
import { type Member, noKey, Upstream } from "./upstream-group.ts";
import { renewed, UpstreamNames } from "./upstream-names.ts";
import { UpstreamQueue } from "./upstream-queue.ts";
import type { BalancerRules, UpstreamParts } from "./upstreams.ts";
import type { Worker } from "./worker.ts";

export interface DefinedUpstreams {
  readonly named: ReadonlyMap<string, Upstream>;
  /** What is resolved for them at run time. */
  readonly names: readonly UpstreamNames[];
  /** A worker was killed: the requests that it had with peers are no more. */
  settle(debtor: Debtor): void;
}

/** Makes the upstreams of an http block, by name in lower case. `partsOf` asks the modules. */
export function defineUpstreams(
  http: Scope,
  worker: Worker,
  partsOf: (scope: Scope) => UpstreamParts,
): DefinedUpstreams {
  const rooms = new ZoneRooms(http, worker.ports.shared);
  const named = new Map<string, Upstream>();
  const names: UpstreamNames[] = [];
  for (const { header, scope } of http.conf(upstream).upstream) {
    const block = { name: header, scope, room: rooms.roomOf(header, scope), parts: partsOf(scope) };
    const made = defineUpstream(block, worker);
    named.set(header.toLowerCase(), made);
    const own = namesOf(block, made, worker);
    if (own !== undefined) names.push(own);
  }
  return { named, names, settle: (debtor) => rooms.settle(debtor) };
}

interface Block {
  readonly name: string;
  readonly scope: Scope;
  readonly room: Room | undefined;
  readonly parts: UpstreamParts;
}

function defineUpstream({ name, scope, room, parts }: Block, worker: Worker): Upstream {
  const conf = scope.conf(upstream);
  const healthOf = initialHealth(parts.health, room?.formerMemory());
  const withHealth = ({ endpoint, settings }: Member): Member => ({
    endpoint,
    settings: { ...settings, health: healthOf(settings) },
  });
  const primary = conf.server
    .filter(({ backup }) => !backup)
    .flatMap(membersOf)
    .map(withHealth);
  const backup = conf.server
    .filter(({ backup }) => backup)
    .flatMap(membersOf)
    .map(withHealth);
  const rules = balancerOf(parts);
  const memory = room?.peers.memory ?? localPeerMemory(primary.length + backup.length);
  const group = new Group(name, memory, settingsOf(primary), settingsOf(backup));
  const balancer = rules === undefined ? new RoundRobin(group) : rules.create(group);
  const { sticky } = parts;
  return new Upstream(balancer, [...primary, ...backup], {
    keyOf: rules?.keyOf ?? noKey,
    keepAlive: keepAliveOf(conf),
    sticky,
    queue: conf.queue && new UpstreamQueue(worker, conf.queue),
  });
}

/** The last one that the block names. */
function balancerOf({ balancers }: UpstreamParts): BalancerRules | undefined {
  return [...balancers].sort((a, b) => b.order - a.order)[0];
}

/** The names that are resolved for the upstream at run time; undefined when it has none. */
function namesOf(
  { name, scope, room, parts }: Block,
  { balancer }: Upstream,
  worker: Worker,
): UpstreamNames | undefined {
  const conf = scope.conf(upstream);
  const servers = conf.server.filter(({ resolve }) => resolve !== undefined);
  if (servers.length === 0 || room === undefined) return undefined;
  const http = (scope.parent as Scope).conf(core);
  const healthOf = initialHealth(parts.health, room.formerMemory());
  const named = servers.map((server) => namedServer(server, healthOf));
  return new UpstreamNames({
    upstream: name,
    members: new NamedMembers(balancer.group, room.peers.roster, named, room.formerRoster()),
    servers,
    // The configuration was checked for one.
    resolver: worker.resolvers.of((conf.resolver ?? http.resolver) as ResolverSettings),
    timeoutMs: conf.resolver_timeout ?? http.resolver_timeout,
    hasBackup: balancerOf(parts)?.withoutBackup !== true,
    timers: worker.timers,
    now: () => worker.ports.reactor.clock.now(),
    log: worker.log,
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
  health: UpstreamParts["health"],
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

/** The zones that upstreams live in, and how these share them. */
class ZoneRooms {
  private readonly shared: SharedMemory;
  /** Peers of each upstream by zone. */
  private readonly counts = new Map<string, Map<Scope, number>>();
  private readonly used: ZonePeers[] = [];

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

  settle(debtor: Debtor): void {
    for (const peers of this.used) peers.settle(debtor);
  }

  /** Where the peers of an upstream live; undefined when it has no zone. Throws when the zone is too small. */
  roomOf(name: string, scope: Scope): Room | undefined {
    const { zone: declared } = scope.conf(upstreamZone);
    const counts = declared && this.counts.get(declared.name);
    if (counts === undefined) return undefined;
    const zone = this.shared.zone(declared?.name as string);
    const slots = zoneSlots(zone.sizeWords, [...counts.values()])?.[[...counts.keys()].indexOf(scope)];
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
