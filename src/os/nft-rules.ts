/**
 * The rules and sets of one virtual server in nf_tables; nft-plan.ts says what they are for. Only what nft(8) can list is used.
 * Registers: 1 and on the key, 2 the number, 3 the server's address, 4 its port.
 */
import { type Bytes, equalBytes } from "../base/bytes.ts";
import type { ServiceMark, ServiceRange, ServiceSettings } from "../io/virtual-services.ts";
import {
  accept,
  countUp,
  drop,
  duplicate,
  type Expression,
  goTo,
  hash,
  hostU32,
  isEqual,
  isWithin,
  jump,
  keepBits,
  loadField,
  loadFields,
  loadMark,
  loadProtocol,
  rejectPort,
  setRegister,
  translate,
} from "../wire/netlink/nftables.ts";
import {
  DESTINATION_PORT,
  IP_DESTINATION,
  IP_SOURCE,
  SOURCE_PORT,
  SYN,
  SYN_ACK,
  TCP_FLAGS,
} from "../wire/netlink/nftables-fields.ts";
import { decide, type FieldType, isIn, remember } from "../wire/netlink/nftables-maps.ts";
import { type NumberedServer, slotsOf } from "./nft-plan.ts";

export type ServiceFamily = "ip" | "ip6";
type Rules = readonly (readonly Expression[])[];

const PROTOCOLS = { tcp: 6, udp: 17, sctp: 132 } as const;
const HASH_SEED = 0x7a6d_656d;
const KEY = 1;
/** The key's first word, for keys of several fields. */
const KEY_WORD = 8;
const NUMBER = 2;
const ADDRESS = 3;
const PORT = 4;

/** Idle connections of a service by DR are forgotten after this: the kernel's times for IPVS. */
const CONNECTION_TIMEOUT_MS = { tcp: 900_000, udp: 300_000, sctp: 900_000 } as const;
/** Connections, or clients, that are remembered for one server. */
export const MAX_REMEMBERED = 262_144;

function u16(value: number): Bytes {
  return Uint8Array.of(value >> 8, value & 0xff);
}

/** One service as it is to be. */
export interface ServiceShape {
  /** Its chain. */
  readonly chain: string;
  readonly family: ServiceFamily;
  readonly settings: ServiceSettings;
  readonly method: "NAT" | "DR";
  readonly servers: readonly NumberedServer[];
  /** Numbers of servers that are this machine: packets for them just go on. DR alone. */
  readonly local: ReadonlySet<number>;
}

/** The map of a service: place → chain of a server. */
export function slotsName({ chain }: ServiceShape): string {
  return `${chain}-slots`;
}

/** A server's chain, and the set of those that are remembered for it. */
export function serverName({ chain }: ServiceShape, id: number): string {
  return `${chain}-${id}`;
}

/** What is remembered: the client's network, every connection, or nothing. */
export interface Memory {
  readonly key: readonly FieldType[];
  readonly timeoutMs: number;
}

/** What a service remembers; connection tracking remembers for NAT, a hash is its own memory. */
export function memoryOf({ settings, method, family }: ServiceShape): Memory | undefined {
  const { persistence, scheduler, protocol } = settings;
  if (persistence !== undefined) return { key: [family], timeoutMs: persistence.timeoutS * 1000 };
  if (method === "NAT" || (scheduler !== "rr" && scheduler !== "wrr")) return undefined;
  return { key: [family, family, "port", "port"], timeoutMs: CONNECTION_TIMEOUT_MS[protocol ?? "tcp"] };
}

/** The elements of the map: which server's chain comes at which place. */
export function slotElements(shape: ServiceShape): readonly (readonly [Bytes, string])[] {
  const slots = slotsOf(shape.settings.scheduler, shape.servers);
  return slots.map(({ id }, index) => [hostU32(index), serverName(shape, id)] as const);
}

/** The client's address, or its network. */
function loadClient({ family, settings }: ServiceShape): readonly Expression[] {
  const field = IP_SOURCE[family];
  const load = loadField(KEY, field);
  const { granularity = field.length * 8 } = settings.persistence ?? {};
  const mask = new Uint8Array(field.length);
  if (family === "ip") new DataView(mask.buffer).setUint32(0, granularity);
  else for (let bit = 0; bit < granularity; bit++) mask[bit >> 3] = (mask[bit >> 3] as number) | (0x80 >> (bit & 7));
  return mask.every((byte) => byte === 0xff) ? [load] : [load, keepBits(KEY, mask)];
}

/** What is remembered by: the client, or the connection's four ends. */
function loadKey(shape: ServiceShape): readonly Expression[] {
  if (shape.settings.persistence !== undefined) return loadClient(shape);
  const fields = [IP_SOURCE[shape.family], IP_DESTINATION[shape.family], SOURCE_PORT, DESTINATION_PORT];
  return loadFields(KEY_WORD, fields).expressions;
}

/** A number from 0 to as many places as there are. */
function choose({ family, settings }: ServiceShape, slots: number): readonly Expression[] {
  const { scheduler, flags } = settings;
  if (scheduler === "rr" || scheduler === "wrr") return [countUp(NUMBER, slots)];
  const withPort = flags.second && settings.protocol !== undefined;
  const fields = withPort ? [IP_SOURCE[family], SOURCE_PORT] : [IP_SOURCE[family]];
  const { expressions, length } = loadFields(KEY_WORD, fields);
  return [...expressions, hash(KEY, length, NUMBER, { modulus: slots, seed: HASH_SEED })];
}

/** The rules of a service's chain. */
export function serviceRules(shape: ServiceShape): Rules {
  const { family, settings, method } = shape;
  const memory = memoryOf(shape);
  const slots = slotsOf(settings.scheduler, shape.servers).length;
  // A server that takes no new connections still has those of DR that are remembered: connection tracking doesn't know them.
  const remembered = shape.servers.filter(({ weight }) => weight > 0 || method === "DR");
  const known =
    memory === undefined
      ? []
      : remembered.map(({ id }) => {
          const name = serverName(shape, id);
          return [...loadKey(shape), isIn(name, KEY), goTo(name)];
        });
  // Only the first packet of a connection chooses; one from the middle of a connection that nobody knows gets its reset here.
  const isFirst =
    settings.protocol === "tcp" && method === "DR" && memory !== undefined && settings.persistence === undefined
      ? [loadField(KEY, TCP_FLAGS), keepBits(KEY, Uint8Array.of(SYN_ACK)), isEqual(KEY, Uint8Array.of(SYN))]
      : [];
  const fresh = [...isFirst, ...choose(shape, Math.max(1, slots)), decide(slotsName(shape), NUMBER)];
  return [...known, ...(slots === 0 ? [] : [fresh]), [...isFirst, rejectPort(family)]];
}

/** The rules of a server's chain. */
export function serverRules(shape: ServiceShape, { id, ip, port }: NumberedServer): Rules {
  const memory = memoryOf(shape);
  const keep =
    memory === undefined ? [] : [[...loadKey(shape), remember(serverName(shape, id), KEY, memory.timeoutMs)]];
  if (shape.local.has(id)) return [...keep, [accept()]];
  const to = setRegister(ADDRESS, ip);
  if (shape.method === "DR") return [...keep, [to, duplicate(ADDRESS)], [drop()]];
  if (port === 0) return [...keep, [to, translate(shape.family, ADDRESS)]];
  return [...keep, [to, setRegister(PORT, u16(port)), translate(shape.family, ADDRESS, PORT)]];
}

/** The rules that lead packets of a service to its chain. */
export function dispatchRules(settings: ServiceSettings, family: ServiceFamily, chain: string): Rules {
  const { ranges, marks, protocol } = settings;
  const protocolIs =
    protocol === undefined ? [] : [loadProtocol(KEY), isEqual(KEY, Uint8Array.of(PROTOCOLS[protocol]))];
  const ofRange = ({ ip, end, port }: ServiceRange): readonly Expression[] => [
    loadField(KEY, IP_DESTINATION[family]),
    ...(equalBytes(ip, end) ? [isEqual(KEY, ip)] : isWithin(KEY, ip, end)),
    ...protocolIs,
    ...(port === 0 ? [] : [loadField(KEY, DESTINATION_PORT), isEqual(KEY, u16(port))]),
    jump(chain),
  ];
  const ofMark = ({ mark }: ServiceMark): readonly Expression[] => [
    loadMark(KEY),
    isEqual(KEY, hostU32(mark)),
    jump(chain),
  ];
  const bytes = IP_SOURCE[family].length;
  return [
    ...ranges.filter(({ ip }) => ip.length === bytes).map(ofRange),
    ...marks.filter((mark) => mark.family === (family === "ip" ? 4 : 6)).map(ofMark),
  ];
}
