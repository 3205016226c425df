/**
 * How nf_tables stands in for IPVS: what a virtual server becomes in rules and maps. Pure; os/nft-services.ts carries it out.
 *
 *     chain prerouting (and output, for NAT): packets to the service → its chain
 *     NAT: 1. a client that is remembered     → its server (persistence)
 *          2. slots[a number] → a server      → its address and port; connection tracking does the rest of the connection
 *          3. nobody is there                 → refused
 *     DR:  the same, but the packet as it is goes to the server's station: a copy is sent, the packet itself is dropped. There is no
 *          connection tracking without an answer to track, so rr and wrr remember each connection in a map.
 *
 * A server has a number, so that what is remembered survives changes of its weight and of its fellows: `servers` says where the number is.
 */
import type { IpAddress } from "../base/ip.ts";
import type { ServiceDestination, ServiceSettings } from "../io/virtual-services.ts";

/** Schedulers that can be had without IPVS. */
export const NFT_SCHEDULERS: readonly string[] = ["rr", "wrr", "sh", "mh"];
/** Places of the tables that hashes point into: those of IPVS. */
const SH_SLOTS = 256;
const MH_SLOTS = 4093;
/** Places that wrr may need; beyond it weights are rounded. */
export const MAX_WRR_SLOTS = 4096;

/** A server with its number. */
export interface NumberedServer {
  readonly id: number;
  readonly ip: IpAddress;
  readonly port: number;
  readonly weight: number;
}

/** Which number comes at which place: indices into `servers`, or none at all when nobody takes connections. */
export function slotsOf(scheduler: string, servers: readonly NumberedServer[]): readonly NumberedServer[] {
  const able = servers.filter(({ weight }) => weight > 0);
  if (able.length === 0) return [];
  switch (scheduler) {
    case "rr":
      return able;
    case "sh":
      return spread(able);
    case "mh":
      return maglev(able);
    default:
      return interleaved(able);
  }
}

function divisor(a: number, b: number): number {
  return b === 0 ? a : divisor(b, a % b);
}

/** The order of IPVS' wrr: round after round, those with the greatest weights first. */
function interleaved(servers: readonly NumberedServer[]): readonly NumberedServer[] {
  const common = servers.reduce((sum, { weight }) => divisor(sum, weight), 0);
  const total = servers.reduce((sum, { weight }) => sum + weight / common, 0);
  const scale = total > MAX_WRR_SLOTS ? MAX_WRR_SLOTS / 2 / total : 1;
  const weights = servers.map(({ weight }) => Math.max(1, Math.round((weight / common) * scale)));
  const order: NumberedServer[] = [];
  for (let least = Math.max(...weights); least > 0; least--)
    for (const [index, server] of servers.entries()) if ((weights[index] as number) >= least) order.push(server);
  return order;
}

/** IPVS' table of sh: servers in turn, each as many places in a row as its weight. */
function spread(servers: readonly NumberedServer[]): readonly NumberedServer[] {
  const table: NumberedServer[] = [];
  for (let turn = 0; table.length < SH_SLOTS; turn++) {
    const server = servers[turn % servers.length] as NumberedServer;
    for (let place = 0; place < server.weight && table.length < SH_SLOTS; place++) table.push(server);
  }
  return table;
}

/** FNV-1a over an address, so that a server has the same places whoever its fellows are. */
function fingerprint({ ip, port }: NumberedServer, seed: number): number {
  let hash = (0x811c9dc5 ^ seed) >>> 0;
  for (const byte of [...ip, port >> 8, port & 0xff]) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}

/** Maglev's table (Eisenbud et al., 2016, §3.4): a server that comes or goes moves few of the others' clients. */
function maglev(servers: readonly NumberedServer[]): readonly NumberedServer[] {
  const table = new Array<NumberedServer | undefined>(MH_SLOTS).fill(undefined);
  const greatest = Math.max(...servers.map(({ weight }) => weight));
  const queues = servers.map((server) => ({
    server,
    next: fingerprint(server, 1) % MH_SLOTS,
    step: (fingerprint(server, 2) % (MH_SLOTS - 1)) + 1,
    share: server.weight / greatest,
    credit: 0,
  }));
  for (let filled = 0; filled < MH_SLOTS; )
    for (const queue of queues) {
      queue.credit += queue.share;
      if (queue.credit < 1 || filled === MH_SLOTS) continue;
      queue.credit--;
      while (table[queue.next] !== undefined) queue.next = (queue.next + queue.step) % MH_SLOTS;
      table[queue.next] = queue.server;
      filled++;
    }
  return table as NumberedServer[];
}

/** What of a service nf_tables can't do; undefined when it can do it. */
export function nftRefusal(settings: ServiceSettings, destinations: readonly ServiceDestination[]): string | undefined {
  const { scheduler, flags, persistence } = settings;
  if (!NFT_SCHEDULERS.includes(scheduler)) return `lvs_sched ${scheduler}`;
  if (flags.onePacket) return "ops";
  if (persistence?.engine !== undefined) return `persistence_engine ${persistence.engine}`;
  const methods = new Set(destinations.map(({ method }) => method));
  if (methods.has("TUN")) return "lvs_method TUN";
  if (methods.size > 1) return "lvs_method NAT and DR together";
  if (destinations.some(({ upperThreshold }) => upperThreshold > 0)) return "uthreshold";
  if (destinations.some(({ lowerThreshold }) => lowerThreshold > 0)) return "lthreshold";
  const ports = new Set(destinations.map(({ port }) => port > 0));
  if (methods.has("NAT") && ports.size > 1) return "real servers with and without ports together";
  const families = new Set([
    ...settings.ranges.map(({ ip }) => (ip.length === 4 ? 4 : 6)),
    ...settings.marks.map(({ family }) => family),
  ]);
  if (families.size > 1) return "IPv4 and IPv6 in one group";
  return undefined;
}
