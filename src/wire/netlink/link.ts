/** Links (network interfaces) in rtnetlink: struct ifinfomsg and its IFLA_* attributes (linux/if_link.h). */
import { type Bytes, concatBytes } from "../../base/bytes.ts";
import { type Decoded, decoded, malformed } from "../../base/decoded.ts";
import { type Attributes, decodeAttributes, nestedIn, textIn, u8In, u32In } from "./attributes.ts";
import { HOST_LITTLE_ENDIAN, viewOf } from "./message.ts";

export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
export const RTM_GETLINK = 18;
export const RTM_SETLINK = 19;

export const IFF_UP = 0x1;
export const IFF_BROADCAST = 0x2;
export const IFF_LOOPBACK = 0x8;
export const IFF_POINTOPOINT = 0x10;
export const IFF_RUNNING = 0x40;
export const IFF_MULTICAST = 0x1000;
export const IFF_LOWER_UP = 0x10000;

export const IFLA_ADDRESS = 1;
export const IFLA_IFNAME = 3;
export const IFLA_MTU = 4;
export const IFLA_LINK = 5;
export const IFLA_MASTER = 10;
export const IFLA_PROTINFO = 12;
export const IFLA_OPERSTATE = 16;
export const IFLA_LINKINFO = 18;
export const IFLA_NET_NS_PID = 19;
export const IFLA_CARRIER = 33;

export const IFLA_INFO_KIND = 1;
export const IFLA_INFO_DATA = 2;
export const VETH_INFO_PEER = 1;

export const IFLA_BR_FORWARD_DELAY = 1;
export const IFLA_BR_STP_STATE = 5;
export const IFLA_BR_MCAST_SNOOPING = 23;

export const IFLA_BRPORT_ISOLATED = 33;

const LINK_HEADER_BYTES = 16;

export interface LinkMessage {
  /** AF_UNSPEC, or AF_BRIDGE when a bridge speaks about its port. */
  readonly family: number;
  /** ARPHRD_*: 1 Ethernet, 772 loopback. */
  readonly hardwareType: number;
  readonly index: number;
  /** IFF_* bits. */
  readonly flags: number;
  readonly attributes: Attributes;
}

export interface LinkHeader {
  readonly family?: number;
  readonly index?: number;
  readonly flags?: number;
  /** Which of `flags` the request changes. */
  readonly change?: number;
}

/** The body of a link request: header, then attributes made by `attributes.ts`. */
export function encodeLink(header: LinkHeader, attributes: readonly Bytes[]): Bytes {
  const bytes = new Uint8Array(LINK_HEADER_BYTES);
  const view = viewOf(bytes);
  bytes[0] = header.family ?? 0;
  view.setInt32(4, header.index ?? 0, HOST_LITTLE_ENDIAN);
  view.setUint32(8, header.flags ?? 0, HOST_LITTLE_ENDIAN);
  view.setUint32(12, header.change ?? 0, HOST_LITTLE_ENDIAN);
  return concatBytes([bytes, ...attributes]);
}

/** Reads the body of RTM_NEWLINK or RTM_DELLINK. */
export function decodeLink(body: Bytes): Decoded<LinkMessage> {
  if (body.length < LINK_HEADER_BYTES) return malformed("link message cut short");
  const view = viewOf(body);
  const attributes = decodeAttributes(body.subarray(LINK_HEADER_BYTES));
  if (!attributes.ok) return attributes;
  return decoded({
    family: body[0] as number,
    hardwareType: view.getUint16(2, HOST_LITTLE_ENDIAN),
    index: view.getInt32(4, HOST_LITTLE_ENDIAN),
    flags: view.getUint32(8, HOST_LITTLE_ENDIAN),
    attributes: attributes.value,
  });
}

/** The driver's word for what the link is, `veth`, `bridge`, `macvlan`; undefined for plain hardware. */
export function linkKind(attributes: Attributes): string | undefined {
  const info = nestedIn(attributes, IFLA_LINKINFO);
  return info.ok ? textIn(info.value, IFLA_INFO_KIND) : undefined;
}

/** The index of the bridge or bond that the link is a port of; undefined when none. */
export function masterIndex(attributes: Attributes): number | undefined {
  return u32In(attributes, IFLA_MASTER);
}

/** RFC 2863 state: 6 is up, 2 down, 7 lower layer down, 0 unknown; undefined when the message lacks it. */
export function operationalState(attributes: Attributes): number | undefined {
  return u8In(attributes, IFLA_OPERSTATE);
}
