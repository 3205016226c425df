/**
 * Virtual services by IPVS: the kernel's own load balancer, over generic netlink. A service of several addresses is several
 * services of the kernel's. Counterpart: keepalived's ipvswrapper.c and libipvs.c.
 */
import { spawnSync } from "node:child_process";
import type { Bytes } from "../base/bytes.ts";
import { compareIp, type IpAddress, printIp } from "../base/ip.ts";
import type {
  ServiceDestination,
  ServiceFailure,
  ServiceSettings,
  ServiceTimeouts,
  VirtualServices,
} from "../io/virtual-services.ts";
import { decodeFamily, encodeFamiliesRequest, GENL_ID_CTRL, NETLINK_GENERIC } from "../wire/netlink/generic.ts";
import {
  encodeDestination,
  encodeFlush,
  encodeService,
  encodeServiceRemoval,
  encodeTimeouts,
  FORWARD_DIRECT,
  FORWARD_MASQUERADE,
  FORWARD_TUNNEL,
  IPVS_DEL_DEST,
  IPVS_FAMILY,
  IPVS_NEW_DEST,
  IPVS_NEW_SERVICE,
  IPVS_SET_DEST,
  IPVS_SET_SERVICE,
  type IpvsDestination,
  type IpvsService,
  type IpvsServiceKey,
  SERVICE_FLAG_1,
  SERVICE_FLAG_2,
  SERVICE_FLAG_3,
  SERVICE_ONE_PACKET,
  SERVICE_PERSISTENT,
  TUNNEL_CHECKSUMS,
  TUNNEL_TYPES,
} from "../wire/netlink/ipvs.ts";
import { EEXIST, ENOENT, ESRCH } from "./errno.ts";
import { type Acknowledgement, failureOf, NetlinkError, NetlinkSocket } from "./netlink-socket.ts";

const PROTOCOLS = { tcp: 6, udp: 17, sctp: 132 } as const;
const METHODS = { NAT: FORWARD_MASQUERADE, TUN: FORWARD_TUNNEL, DR: FORWARD_DIRECT } as const;
/** Services that one range stands for. */
export const MAX_RANGE = 65_536;

/** What answers requests: the kernel's socket, or a test. */
export interface IpvsRequests {
  change(body: Bytes): Acknowledgement;
  close(): void;
}

/** The socket to this kernel's IPVS; undefined when it has none. `load`: its module is asked for first. */
export function openIpvs(load: boolean): IpvsRequests | undefined {
  const id = findFamily() ?? (load && loadModule() ? findFamily() : undefined);
  if (id === undefined) return undefined;
  const socket = new NetlinkSocket(NETLINK_GENERIC);
  return { change: (body) => socket.change(id, 0, body), close: () => socket.close() };
}

/** The message type of IPVS. */
function findFamily(): number | undefined {
  try {
    const socket = new NetlinkSocket(NETLINK_GENERIC);
    try {
      for (const body of socket.dump(GENL_ID_CTRL, GENL_ID_CTRL, encodeFamiliesRequest())) {
        const family = decodeFamily(body);
        if (family.ok && family.value.name === IPVS_FAMILY) return family.value.id;
      }
      return undefined;
    } finally {
      socket.close();
    }
  } catch (error) {
    if (error instanceof NetlinkError) return undefined;
    throw error;
  }
}

function loadModule(): boolean {
  return spawnSync("modprobe", ["-s", "--", "ip_vs"], { stdio: "ignore" }).status === 0;
}

interface Present {
  readonly settings: ServiceSettings;
  readonly keys: readonly IpvsServiceKey[];
  destinations: readonly ServiceDestination[];
}

export class IpvsServices implements VirtualServices {
  readonly method = "IPVS";
  readonly #requests: IpvsRequests;
  readonly #present = new Map<string, Present>();

  constructor(requests: IpvsRequests) {
    this.#requests = requests;
  }

  set(settings: ServiceSettings, destinations: readonly ServiceDestination[]): ServiceFailure | undefined {
    const known = this.#present.get(settings.name);
    const keys = known?.keys ?? keysOf(settings);
    if (keys.length > MAX_RANGE) return { message: `${settings.name}: more than ${MAX_RANGE} addresses` };
    const failures: ServiceFailure[] = [];
    for (const key of keys) {
      const service = serviceOf(settings, key);
      if (known === undefined) this.#add(service, key, failures);
      else if (!isSame(known.settings, settings))
        this.#try(encodeService(IPVS_SET_SERVICE, service), key, undefined, 0, failures);
      this.#change(key, known?.destinations ?? [], destinations, failures);
    }
    this.#present.set(settings.name, { settings, keys, destinations });
    return failures[0];
  }

  /** What somebody has left there goes first. */
  #add(service: IpvsService, key: IpvsServiceKey, failures: ServiceFailure[]): void {
    const body = encodeService(IPVS_NEW_SERVICE, service);
    const ack = this.#requests.change(body);
    if (ack.errno === EEXIST) {
      this.#try(encodeServiceRemoval(key), key, undefined, ESRCH, failures);
      this.#try(body, key, undefined, 0, failures);
      return;
    }
    const failure = failureOf(`IPVS ${printKey(key)}`, ack);
    if (failure !== undefined) failures.push({ message: failure.message });
  }

  /** From the destinations that are there to those that shall be. */
  #change(
    key: IpvsServiceKey,
    before: readonly ServiceDestination[],
    after: readonly ServiceDestination[],
    failures: ServiceFailure[],
  ): void {
    for (const old of before) {
      if (after.some((next) => nameOf(next) === nameOf(old))) continue;
      this.#try(encodeDestination(IPVS_DEL_DEST, key, destinationOf(old, key)), key, old, ENOENT, failures);
    }
    for (const next of after) {
      const old = before.find((candidate) => nameOf(candidate) === nameOf(next));
      const destination = destinationOf(next, key);
      if (old === undefined) this.#try(encodeDestination(IPVS_NEW_DEST, key, destination), key, next, EEXIST, failures);
      else if (!isSame(old, next))
        this.#try(encodeDestination(IPVS_SET_DEST, key, destination), key, next, 0, failures);
    }
  }

  /** `harmless`: an errno that says it is so already. */
  #try(
    body: Bytes,
    key: IpvsServiceKey,
    destination: ServiceDestination | undefined,
    harmless: number,
    failures: ServiceFailure[],
  ): void {
    const ack = this.#requests.change(body);
    if (ack.errno === harmless) return;
    const what = `IPVS ${printKey(key)}${destination === undefined ? "" : ` -> ${nameOf(destination)}`}`;
    const failure = failureOf(what, ack);
    if (failure !== undefined) failures.push({ message: failure.message });
  }

  remove(name: string): ServiceFailure | undefined {
    const known = this.#present.get(name);
    this.#present.delete(name);
    const failures: ServiceFailure[] = [];
    // ESRCH: the service is not there.
    for (const key of known?.keys ?? []) this.#try(encodeServiceRemoval(key), key, undefined, ESRCH, failures);
    return failures[0];
  }

  setTimeouts(timeouts: ServiceTimeouts): ServiceFailure | undefined {
    return failureOf("IPVS time limits", this.#requests.change(encodeTimeouts(timeouts)));
  }

  flush(): ServiceFailure | undefined {
    this.#present.clear();
    return failureOf("IPVS flush", this.#requests.change(encodeFlush()));
  }

  close(): void {
    for (const name of [...this.#present.keys()]) this.remove(name);
    this.#requests.close();
  }
}

/** One kernel service for each address and mark. */
export function keysOf({ ranges, marks, protocol }: ServiceSettings): readonly IpvsServiceKey[] {
  const keys: IpvsServiceKey[] = [];
  for (const { ip, end, port } of ranges)
    for (let at = ip; keys.length <= MAX_RANGE; at = following(at)) {
      keys.push({ family: at.length === 4 ? 4 : 6, protocol: PROTOCOLS[protocol ?? "udp"], ip: at, port });
      if (compareIp(at, end) >= 0) break;
    }
  return [...keys, ...marks];
}

function following(ip: IpAddress): IpAddress {
  const next = Uint8Array.from(ip);
  for (let at = next.length - 1; at >= 0; at--) {
    next[at] = ((next[at] as number) + 1) & 0xff;
    if (next[at] !== 0) break;
  }
  return next;
}

/** The kernel's form of a service. */
export function serviceOf({ scheduler, flags, persistence }: ServiceSettings, key: IpvsServiceKey): IpvsService {
  const bit = (on: boolean, value: number): number => (on ? value : 0);
  return {
    key,
    scheduler,
    flags:
      bit(persistence !== undefined, SERVICE_PERSISTENT) |
      bit(flags.onePacket, SERVICE_ONE_PACKET) |
      bit(flags.first, SERVICE_FLAG_1) |
      bit(flags.second, SERVICE_FLAG_2) |
      bit(flags.third, SERVICE_FLAG_3),
    timeoutS: persistence?.timeoutS ?? 0,
    netmask: persistence?.granularity ?? (key.family === 4 ? 0xffff_ffff : 128),
    engine: persistence?.engine,
  };
}

function destinationOf(destination: ServiceDestination, key: IpvsServiceKey): IpvsDestination {
  const { ip, port, method, tunnel, weight, upperThreshold, lowerThreshold } = destination;
  return {
    ip,
    // Only NAT changes a port.
    port: method === "NAT" ? port : "mark" in key ? 0 : key.port,
    method: METHODS[method],
    weight,
    upperThreshold,
    lowerThreshold,
    tunnelType: TUNNEL_TYPES[tunnel.type],
    tunnelPort: tunnel.port,
    tunnelFlags: TUNNEL_CHECKSUMS[tunnel.checksum],
  };
}

function nameOf({ ip, port }: ServiceDestination): string {
  return `${printIp(ip)}:${port}`;
}

function printKey(key: IpvsServiceKey): string {
  return "mark" in key ? `Fwm ${key.mark}` : `${printIp(key.ip)}:${key.protocol}:${key.port}`;
}

/** Of plain data. */
function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
