/** IPVS over generic netlink: services and their destinations (linux/ip_vs.h). Counterpart: keepalived's libipvs.c, ipvsadm. */
import { type Bytes, concatBytes } from "../../base/bytes.ts";
import type { IpAddress } from "../../base/ip.ts";
import { attribute, attributeText, attributeU8, attributeU16, attributeU32, nested } from "./attributes.ts";
import { encodeGeneric } from "./generic.ts";
import { HOST_LITTLE_ENDIAN } from "./message.ts";

/** Name of the family. */
export const IPVS_FAMILY = "IPVS";
const VERSION = 1;

/** IPVS_CMD_*. */
export const IPVS_NEW_SERVICE = 1;
export const IPVS_SET_SERVICE = 2;
export const IPVS_DEL_SERVICE = 3;
export const IPVS_NEW_DEST = 5;
export const IPVS_SET_DEST = 6;
export const IPVS_DEL_DEST = 7;
const IPVS_SET_CONFIG = 12;
const IPVS_FLUSH = 17;

const ATTR_SERVICE = 1;
const ATTR_DEST = 2;
const ATTR_TIMEOUT_TCP = 4;
const ATTR_TIMEOUT_TCP_FIN = 5;
const ATTR_TIMEOUT_UDP = 6;

const AF_INET = 2;
const AF_INET6 = 10;

/** IP_VS_SVC_F_*. */
export const SERVICE_PERSISTENT = 0x1;
export const SERVICE_ONE_PACKET = 0x4;
export const SERVICE_FLAG_1 = 0x8;
export const SERVICE_FLAG_2 = 0x10;
export const SERVICE_FLAG_3 = 0x20;

/** IP_VS_CONN_F_*: how packets reach a destination. */
export const FORWARD_MASQUERADE = 0;
export const FORWARD_TUNNEL = 2;
export const FORWARD_DIRECT = 3;

/** IP_VS_CONN_F_TUNNEL_TYPE_* and IP_VS_TUNNEL_ENCAP_FLAG_*. */
export const TUNNEL_TYPES = { ipip: 0, gue: 1, gre: 2 } as const;
export const TUNNEL_CHECKSUMS = { nocsum: 0, csum: 1, remcsum: 2 } as const;

/** What names a service: a mark, or protocol, address and port. */
export type IpvsServiceKey = { readonly family: 4 | 6 } & (
  | { readonly mark: number }
  | { readonly protocol: number; readonly ip: IpAddress; readonly port: number }
);

export interface IpvsService {
  readonly key: IpvsServiceKey;
  readonly scheduler: string;
  /** SERVICE_*. */
  readonly flags: number;
  /** Seconds of persistence; 0 without. */
  readonly timeoutS: number;
  /** IPv4: the mask as a number; IPv6: the length of the prefix. */
  readonly netmask: number;
  readonly engine: string | undefined;
}

export interface IpvsDestination {
  readonly ip: IpAddress;
  readonly port: number;
  /** FORWARD_*. */
  readonly method: number;
  readonly weight: number;
  readonly upperThreshold: number;
  readonly lowerThreshold: number;
  readonly tunnelType: number;
  readonly tunnelPort: number;
  readonly tunnelFlags: number;
}

function bigEndianU16(type: number, value: number): Bytes {
  return attribute(type, Uint8Array.of(value >> 8, value & 0xff));
}

/** `union nf_inet_addr`: 16 bytes whatever the family. */
function address(type: number, ip: IpAddress): Bytes {
  const bytes = new Uint8Array(16);
  bytes.set(ip);
  return attribute(type, bytes);
}

function keyAttributes(key: IpvsServiceKey): readonly Bytes[] {
  const family = attributeU16(1, key.family === 4 ? AF_INET : AF_INET6);
  if ("mark" in key) return [family, attributeU32(5, key.mark)];
  return [family, attributeU16(2, key.protocol), address(3, key.ip), bigEndianU16(4, key.port)];
}

/** The service's mask: of IPv4 it is an address, of IPv6 a number. */
function netmask({ key, netmask: mask }: IpvsService): Bytes {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, mask, key.family === 6 && HOST_LITTLE_ENDIAN);
  return attribute(9, bytes);
}

function serviceAttributes(service: IpvsService): readonly Bytes[] {
  const flags = new Uint8Array(new Uint32Array([service.flags, 0xffff_ffff]).buffer);
  return [
    ...keyAttributes(service.key),
    attributeText(6, service.scheduler),
    ...(service.engine === undefined ? [] : [attributeText(11, service.engine)]),
    attribute(7, flags),
    attributeU32(8, service.timeoutS),
    netmask(service),
  ];
}

/** Adds or changes a service. */
export function encodeService(command: typeof IPVS_NEW_SERVICE | typeof IPVS_SET_SERVICE, service: IpvsService): Bytes {
  return encodeGeneric(command, VERSION, [nested(ATTR_SERVICE, serviceAttributes(service))]);
}

/** Removes a service with its destinations. */
export function encodeServiceRemoval(key: IpvsServiceKey): Bytes {
  return encodeGeneric(IPVS_DEL_SERVICE, VERSION, [nested(ATTR_SERVICE, keyAttributes(key))]);
}

/** Adds, changes or removes a destination of a service. */
export function encodeDestination(
  command: typeof IPVS_NEW_DEST | typeof IPVS_SET_DEST | typeof IPVS_DEL_DEST,
  key: IpvsServiceKey,
  destination: IpvsDestination,
): Bytes {
  const { ip, port, method, weight, upperThreshold, lowerThreshold } = destination;
  const name = [attributeU16(11, ip.length === 4 ? AF_INET : AF_INET6), address(1, ip), bigEndianU16(2, port)];
  const rest = [
    attributeU32(3, method),
    attributeU32(4, weight),
    attributeU32(5, upperThreshold),
    attributeU32(6, lowerThreshold),
    ...(method === FORWARD_TUNNEL
      ? [
          attributeU8(13, destination.tunnelType),
          bigEndianU16(14, destination.tunnelPort),
          attributeU16(15, destination.tunnelFlags),
        ]
      : []),
  ];
  const parts = command === IPVS_DEL_DEST ? name : [...name, ...rest];
  return encodeGeneric(command, VERSION, [nested(ATTR_SERVICE, keyAttributes(key)), nested(ATTR_DEST, parts)]);
}

/** Sets how long idle connections are kept, seconds; 0 leaves what is. */
export function encodeTimeouts(timeouts: {
  readonly tcp: number;
  readonly tcpFin: number;
  readonly udp: number;
}): Bytes {
  return concatBytes([
    encodeGeneric(IPVS_SET_CONFIG, VERSION, []),
    attributeU32(ATTR_TIMEOUT_TCP, timeouts.tcp),
    attributeU32(ATTR_TIMEOUT_TCP_FIN, timeouts.tcpFin),
    attributeU32(ATTR_TIMEOUT_UDP, timeouts.udp),
  ]);
}

/** Removes all services. */
export function encodeFlush(): Bytes {
  return encodeGeneric(IPVS_FLUSH, VERSION, []);
}
