/**
 * Virtual services by nf_tables, where the kernel has no IPVS: NAT and direct routing with rr, wrr, sh and mh, persistence included.
 * The tables belong to this process' socket: the kernel removes them when it ends, however it ends. Every change is one
 * transaction. os/nft-plan.ts says how it works.
 */
import { equalBytes } from "../base/bytes.ts";
import type { IpAddress } from "../base/ip.ts";
import type { ServiceDestination, ServiceFailure, ServiceSettings, VirtualServices } from "../io/virtual-services.ts";
import {
  addBaseChain,
  addChain,
  addOwnedTable,
  appendRule,
  type BatchMessage,
  deleteChain,
  deleteTable,
  flushChain,
  HOOK_LOCAL_OUT,
  HOOK_PREROUTING,
  NETLINK_NETFILTER,
  transaction,
} from "../wire/netlink/nftables.ts";
import { addElements, addMap, deleteMap, flushMap } from "../wire/netlink/nftables-maps.ts";
import { forgetConnections } from "./conntrack.ts";
import { failureOf, NetlinkError, NetlinkSocket } from "./netlink-socket.ts";
import { type NumberedServer, nftRefusal } from "./nft-plan.ts";
import {
  dispatchRules,
  MAX_REMEMBERED,
  memoryOf,
  type ServiceFamily,
  type ServiceShape,
  serverName,
  serverRules,
  serviceRules,
  slotElements,
  slotsName,
} from "./nft-rules.ts";

const TABLE = "tandem_lvs";
/** Behind the user's own translations (NF_IP_PRI_NAT_DST), as IPVS is behind them. */
const PRIORITY_NAT = -99;
/** Behind connection tracking and whoever sets marks (NF_IP_PRI_MANGLE), in front of translations. */
const PRIORITY_DIRECT = -149;
/** Chains at hooks: the one of direct routing, and two of NAT. */
const HOOKS = [
  ["direct", { type: "filter", hook: HOOK_PREROUTING, priority: PRIORITY_DIRECT }],
  ["translate", { type: "nat", hook: HOOK_PREROUTING, priority: PRIORITY_NAT }],
  ["translate-own", { type: "nat", hook: HOOK_LOCAL_OUT, priority: PRIORITY_NAT }],
] as const;

interface Present {
  readonly shape: ServiceShape;
  readonly destinations: readonly ServiceDestination[];
}

export class NftServices implements VirtualServices {
  readonly method = "nftables";
  readonly #socket: NetlinkSocket;
  readonly #ownAddresses: () => readonly IpAddress[];
  readonly #present = new Map<string, Present>();
  readonly #tables = new Set<ServiceFamily>();
  #chains = 0;
  #servers = 0;

  /** `ownAddresses`: this machine's, besides the loopback's. Throws `NetlinkError` when there is no socket. */
  constructor(ownAddresses: () => readonly IpAddress[]) {
    this.#socket = new NetlinkSocket(NETLINK_NETFILTER);
    this.#ownAddresses = ownAddresses;
  }

  set(settings: ServiceSettings, destinations: readonly ServiceDestination[]): ServiceFailure | undefined {
    const refusal = nftRefusal(settings, destinations);
    if (refusal !== undefined) return { message: `${settings.name}: ${refusal} needs IPVS` };
    const known = this.#present.get(settings.name);
    const shape = this.#shape(settings, destinations, known);
    const isNew = known === undefined || isOther(known.shape, shape);
    const services = new Map(this.#present).set(settings.name, { shape, destinations });
    const failure = this.#commit([
      ...this.#table(shape.family),
      // What is of another kind is made anew; its chain must not be jumped to meanwhile.
      ...(known !== undefined && isNew ? this.#unhook(shape.family) : []),
      ...(known !== undefined && isNew ? removal(known.shape) : []),
      ...(isNew ? creation(shape) : []),
      ...renewal(shape, isNew ? undefined : known?.shape),
      ...(isNew ? [...this.#unhook(shape.family), ...hooks(shape.family, services)] : []),
    ]);
    if (failure !== undefined) return failure;
    this.#tables.add(shape.family);
    this.#present.set(settings.name, { shape, destinations });
    if (settings.protocol === "udp") forgetStale(settings, known?.destinations, destinations);
    return undefined;
  }

  remove(name: string): ServiceFailure | undefined {
    const known = this.#present.get(name);
    if (known === undefined) return undefined;
    const { family } = known.shape;
    const others = new Map(this.#present);
    others.delete(name);
    const failure = this.#commit([...this.#unhook(family), ...hooks(family, others), ...removal(known.shape)]);
    if (failure === undefined) this.#present.delete(name);
    return failure;
  }

  /** Connection tracking has its own times, which are everybody's. */
  setTimeouts(): ServiceFailure | undefined {
    return { message: "lvs_timeouts has no effect without IPVS" };
  }

  /** Nobody else can have anything in these tables. */
  flush(): ServiceFailure | undefined {
    return undefined;
  }

  close(): void {
    if (this.#tables.size > 0) this.#commit([...this.#tables].map((family) => deleteTable(family, TABLE)));
    this.#socket.close();
  }

  #shape(
    settings: ServiceSettings,
    destinations: readonly ServiceDestination[],
    known: Present | undefined,
  ): ServiceShape {
    const [first] = destinations;
    const familyOf = (): ServiceFamily => {
      const ip = first?.ip ?? settings.ranges[0]?.ip;
      if (ip !== undefined) return ip.length === 4 ? "ip" : "ip6";
      return settings.marks[0]?.family === 6 ? "ip6" : "ip";
    };
    const servers = destinations.map(({ ip, port, weight }): NumberedServer => {
      const same = known?.shape.servers.find((server) => server.port === port && equalBytes(server.ip, ip));
      return { id: same?.id ?? ++this.#servers, ip, port, weight };
    });
    const method = first === undefined ? (known?.shape.method ?? "NAT") : first.method === "DR" ? "DR" : "NAT";
    const own = method === "DR" ? this.#ownAddresses() : [];
    const isHere = ({ ip }: NumberedServer): boolean =>
      method === "DR" && (isLoopback(ip) || own.some((address) => equalBytes(address, ip)));
    return {
      chain: known?.shape.chain ?? `vs${++this.#chains}`,
      family: familyOf(),
      settings,
      method,
      servers,
      local: new Set(servers.filter(isHere).map(({ id }) => id)),
    };
  }

  #table(family: ServiceFamily): readonly BatchMessage[] {
    if (this.#tables.has(family)) return [];
    return [addOwnedTable(family, TABLE), ...HOOKS.map(([name, about]) => addBaseChain(family, TABLE, name, about))];
  }

  #unhook(family: ServiceFamily): readonly BatchMessage[] {
    return HOOKS.map(([name]) => flushChain(family, TABLE, name));
  }

  #commit(changes: readonly BatchMessage[]): ServiceFailure | undefined {
    try {
      return failureOf("nftables", this.#socket.batch(transaction(changes)));
    } catch (error) {
      if (error instanceof NetlinkError) return { message: error.message };
      throw error;
    }
  }
}

function isLoopback(ip: IpAddress): boolean {
  return ip.length === 4 && ip[0] === 127;
}

/** Whether everything of a service has to be made anew. */
function isOther(before: ServiceShape, after: ServiceShape): boolean {
  const [old, next] = [memoryOf(before), memoryOf(after)].map((memory) => memory?.key.join());
  return before.method !== after.method || before.family !== after.family || old !== next;
}

function creation(shape: ServiceShape): readonly BatchMessage[] {
  const { chain, family } = shape;
  return [addChain(family, TABLE, chain), addMap(family, TABLE, slotsName(shape), { key: ["mark"], data: "verdict" })];
}

/** The service's chain and its map are emptied, and written again around what becomes of its servers. */
function renewal(shape: ServiceShape, before: ServiceShape | undefined): readonly BatchMessage[] {
  const { chain, family } = shape;
  const has = (one: ServiceShape | undefined, id: number): boolean =>
    one?.servers.some((server) => server.id === id) === true;
  const gone = before?.servers.filter(({ id }) => !has(shape, id)) ?? [];
  return [
    ...(before === undefined ? [] : [flushChain(family, TABLE, chain), flushMap(family, TABLE, slotsName(shape))]),
    ...gone.flatMap(({ id }) => serverRemoval(before as ServiceShape, id)),
    ...shape.servers.flatMap((server) => serverRenewal(shape, server, has(before, server.id))),
    ...addElements(family, TABLE, slotsName(shape), slotElements(shape)),
    ...serviceRules(shape).map((rule) => appendRule(family, TABLE, chain, rule)),
  ];
}

function serverRenewal(shape: ServiceShape, server: NumberedServer, isThere: boolean): readonly BatchMessage[] {
  const { family } = shape;
  const name = serverName(shape, server.id);
  const memory = memoryOf(shape);
  const dynamic = memory && { size: MAX_REMEMBERED, timeoutMs: memory.timeoutMs };
  const set =
    dynamic === undefined ? [] : [addMap(family, TABLE, name, { key: memory?.key ?? [], data: undefined, dynamic })];
  return [
    ...(isThere ? [flushChain(family, TABLE, name)] : [addChain(family, TABLE, name), ...set]),
    ...serverRules(shape, server).map((rule) => appendRule(family, TABLE, name, rule)),
  ];
}

function serverRemoval(shape: ServiceShape, id: number): readonly BatchMessage[] {
  const { family } = shape;
  const name = serverName(shape, id);
  return [
    flushChain(family, TABLE, name),
    deleteChain(family, TABLE, name),
    ...(memoryOf(shape) === undefined ? [] : [deleteMap(family, TABLE, name)]),
  ];
}

function removal(shape: ServiceShape): readonly BatchMessage[] {
  const { chain, family } = shape;
  return [
    flushChain(family, TABLE, chain),
    deleteMap(family, TABLE, slotsName(shape)),
    ...shape.servers.flatMap(({ id }) => serverRemoval(shape, id)),
    deleteChain(family, TABLE, chain),
  ];
}

/** The rules that lead to all services of a family. */
function hooks(family: ServiceFamily, services: ReadonlyMap<string, Present>): readonly BatchMessage[] {
  const messages: BatchMessage[] = [];
  for (const { shape } of services.values()) {
    if (shape.family !== family) continue;
    const chains = shape.method === "DR" ? ["direct"] : ["translate", "translate-own"];
    for (const rule of dispatchRules(shape.settings, family, shape.chain))
      for (const chain of chains) messages.push(appendRule(family, TABLE, chain, rule));
  }
  return messages;
}

/** UDP has no end: what goes to a server that is gone, or to nobody from the time before, is scheduled anew. */
function forgetStale(
  { ranges }: ServiceSettings,
  before: readonly ServiceDestination[] | undefined,
  after: readonly ServiceDestination[],
): void {
  const isThere = (ip: IpAddress): boolean => after.some((one) => one.weight > 0 && equalBytes(one.ip, ip));
  if (before?.every(({ ip }) => isThere(ip)) === true) return;
  forgetConnections(ranges, "udp", (server) => !isThere(server));
}
