/** From the user's files to a rehearsal: which interfaces, addresses, ports and timers the pair has. */
import { compareIp, type IpAddress, printIp, sameNetwork } from "../base/ip.ts";
import type { Directive } from "../conf/directive.ts";
import type { KeepalivedConfig, VrrpInstance } from "../conf/keepalived/config.ts";
import type { StationPlan } from "./topology.ts";

export const NODES = ["a", "b"] as const;
export type NodeName = (typeof NODES)[number];

/** What a rehearsal needs to know of one node. */
export interface NodePlan {
  readonly name: NodeName;
  readonly station: StationPlan;
  readonly address: IpAddress;
  readonly instance: VrrpInstance;
  /** Of the first script that the instance tracks; undefined when it tracks none. */
  readonly checkIntervalMs: number | undefined;
  readonly checkTimeoutMs: number | undefined;
}

export interface PairPlan {
  readonly nodes: Readonly<Record<NodeName, NodePlan>>;
  readonly client: StationPlan;
  /** Another one, for what two sides of a switch see. */
  readonly farClient: StationPlan;
  /** The virtual address that the client asks. */
  readonly virtualIp: string;
  /** The port of the first server in nginx.conf. */
  readonly port: number;
  /** Who is active when both are well. */
  readonly preferred: NodeName;
}

/** A pair that can't be rehearsed; the message is one sentence for the user. */
export class PlanError extends Error {
  override readonly name = "PlanError";
}

const CLIENT_INTERFACE = "eth0";
/** Host numbers that are tried for stations whose files name no address. */
const FIRST_FREE_HOST = 200;

/** Plans the pair from both nodes' configurations. Throws `PlanError`. */
export function planPair(configs: Readonly<Record<NodeName, KeepalivedConfig>>, port: number): PairPlan {
  const instances = { a: instanceOf("a", configs.a), b: instanceOf("b", configs.b) };
  const virtual = instances.a.addresses.find(({ address }) => !isLinkLocal(address))?.address;
  if (virtual === undefined) throw new PlanError("node a has no virtual address that a client could ask");
  const taken = [
    ...instances.a.addresses.map(({ address }) => address),
    ...instances.b.addresses.map(({ address }) => address),
  ];
  const sources = { a: sourceOf(instances.a, instances.b), b: sourceOf(instances.b, instances.a) };
  for (const source of Object.values(sources)) if (source !== undefined) taken.push(source);
  const networks = networksOf(taken);
  const choose = (network: IpAddress): IpAddress => {
    const free = freeAddress(network, taken);
    taken.push(free);
    return free;
  };
  const station = (name: string, link: string, own: IpAddress | undefined): StationPlan => {
    const addresses = networks.map((network) =>
      own !== undefined && sameNetwork(own, network, prefixOf(network)) ? own : choose(network),
    );
    return { name, interface: link, addresses: addresses.map((ip) => `${printIp(ip)}/${prefixOf(ip)}`) };
  };
  const client = station("client", CLIENT_INTERFACE, undefined);
  const node = (name: NodeName): NodePlan => {
    const instance = instances[name];
    const planned = station(name, instance.interface as string, sources[name]);
    const address = sources[name] ?? addressWithin(planned, virtual);
    const check = configs[name].scripts.find((script) => script.name === instance.tracks.scripts[0]?.name);
    return {
      name,
      station: planned,
      address,
      instance,
      checkIntervalMs: check?.intervalMs,
      checkTimeoutMs: check?.timeoutMs,
    };
  };
  const nodes = { a: node("a"), b: node("b") };
  const farClient = station("client2", CLIENT_INTERFACE, undefined);
  const order = instances.b.priority - instances.a.priority || compareIp(nodes.b.address, nodes.a.address);
  return { nodes, client, farClient, virtualIp: printIp(virtual), port, preferred: order > 0 ? "b" : "a" };
}

/** The first instance: the one whose address the client asks. */
function instanceOf(name: NodeName, config: KeepalivedConfig): VrrpInstance {
  const instance = config.instances[0];
  if (instance === undefined) throw new PlanError(`node ${name} has no vrrp_instance`);
  if (instance.interface === undefined) throw new PlanError(`${instance.name} of node ${name} has no interface`);
  return instance;
}

/** Where a node's adverts come from: as written, or as its partner expects it; undefined when neither says so. */
function sourceOf(own: VrrpInstance, partner: VrrpInstance): IpAddress | undefined {
  const expected = partner.unicast ? partner.unicastPeers[0]?.address : undefined;
  return own.sourceAddress ?? expected;
}

/** One address of each network that the rehearsal needs. */
function networksOf(addresses: readonly IpAddress[]): readonly IpAddress[] {
  const networks: IpAddress[] = [];
  for (const address of addresses)
    if (!isLinkLocal(address) && !networks.some((known) => sameNetwork(known, address, prefixOf(address))))
      networks.push(address);
  return networks;
}

/** The usual size of a network: /24 and /64. */
function prefixOf(address: IpAddress): number {
  return address.length === 4 ? 24 : 64;
}

function isLinkLocal(address: IpAddress): boolean {
  return address.length === 16 && address[0] === 0xfe && ((address[1] as number) & 0xc0) === 0x80;
}

function freeAddress(network: IpAddress, taken: readonly IpAddress[]): IpAddress {
  const candidate = network.slice();
  if (candidate.length === 16) candidate.fill(0, 8);
  for (let host = FIRST_FREE_HOST; host < 255; host++) {
    candidate[candidate.length - 1] = host;
    if (!taken.some((used) => used.length === candidate.length && compareIp(used, candidate) === 0)) return candidate;
  }
  throw new PlanError(`the network of ${printIp(network)} has no free address for the rehearsal`);
}

function addressWithin(station: StationPlan, network: IpAddress): IpAddress {
  const isIpv4 = network.length === 4;
  const text = station.addresses.find((address) => address.includes(".") === isIpv4) ?? "";
  const numbers = text.split("/")[0] as string;
  return isIpv4 ? Uint8Array.from(numbers.split("."), Number) : network;
}

/** The port of the first `server` block that speaks plain HTTP on TCP; 80 when it names none. */
export function httpPortOf(directives: readonly Directive[]): number {
  for (const server of serversOf(directives)) {
    const listens = within(server).filter(({ name }) => name === "listen");
    if (listens.length === 0) return 80;
    for (const { args } of listens) {
      const words = args.map(({ text }) => text);
      const where = words[0] ?? "";
      if (where.startsWith("unix:") || words.includes("ssl") || words.includes("quic")) continue;
      const port = /^(?:.*:)?(\d+)$/.exec(where)?.[1];
      return port === undefined ? 80 : Number(port);
    }
  }
  throw new PlanError("nginx.conf has no server that a client could ask over plain HTTP");
}

function serversOf(directives: readonly Directive[]): readonly Directive[] {
  return flatten(directives)
    .filter(({ name }) => name === "http")
    .flatMap((http) => within(http).filter(({ name }) => name === "server"));
}

function within(directive: Directive): readonly Directive[] {
  return flatten(directive.block?.directives ?? []);
}

/** Included files count as if they were written in place. */
function flatten(directives: readonly Directive[]): readonly Directive[] {
  return directives.flatMap((directive) =>
    directive.sources === undefined ? [directive] : directive.sources.flatMap((source) => flatten(source.directives)),
  );
}
