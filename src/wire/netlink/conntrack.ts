/**
 * Connection tracking over netlink (linux/netfilter/nfnetlink_conntrack.h): which connections the kernel knows, and how to make it
 * forget one. A connection has two directions; address translation shows in their difference. Counterpart: conntrack(8).
 */
import { type Bytes, concatBytes } from "../../base/bytes.ts";
import { type Decoded, decoded, malformed } from "../../base/decoded.ts";
import type { IpAddress } from "../../base/ip.ts";
import { type Attributes, attribute, decodeAttributes, nestedIn, u8In } from "./attributes.ts";

const NFNL_SUBSYS_CTNETLINK = 1;
/** What is asked for, what comes back, and what makes the kernel forget. */
export const CONNTRACK_GET = (NFNL_SUBSYS_CTNETLINK << 8) | 1;
export const CONNTRACK_NEW = NFNL_SUBSYS_CTNETLINK << 8;
export const CONNTRACK_DELETE = (NFNL_SUBSYS_CTNETLINK << 8) | 2;

const AF_INET = 2;
const AF_INET6 = 10;
const CTA_TUPLE_ORIG = 1;
const CTA_TUPLE_REPLY = 2;
const NLA_F_NESTED = 0x8000;

/** One direction of a connection. */
export interface ConnectionTuple {
  readonly protocol: number;
  readonly source: IpAddress;
  readonly destination: IpAddress;
  /** 0 of protocols without ports. */
  readonly sourcePort: number;
  readonly destinationPort: number;
}

export interface TrackedConnection {
  readonly family: 4 | 6;
  readonly original: ConnectionTuple;
  readonly reply: ConnectionTuple;
  /** The original direction as the kernel has written it: what names the connection. */
  readonly name: Bytes;
}

function header(family: 4 | 6): Bytes {
  return Uint8Array.of(family === 4 ? AF_INET : AF_INET6, 0, 0, 0);
}

/** Asks for all connections of a family. */
export function encodeConnectionsRequest(family: 4 | 6): Bytes {
  return header(family);
}

/** Asks to forget a connection. */
export function encodeForget({ family, name }: Pick<TrackedConnection, "family" | "name">): Bytes {
  return concatBytes([header(family), attribute(CTA_TUPLE_ORIG | NLA_F_NESTED, name)]);
}

function portIn(attributes: Attributes, type: number): number {
  const bytes = attributes.get(type);
  return bytes?.length === 2 ? ((bytes[0] as number) << 8) | (bytes[1] as number) : 0;
}

function decodeTuple(bytes: Bytes): Decoded<ConnectionTuple> {
  const parts = decodeAttributes(bytes);
  if (!parts.ok) return parts;
  const addresses = nestedIn(parts.value, 1);
  const ports = nestedIn(parts.value, 2);
  if (!addresses.ok) return addresses;
  if (!ports.ok) return ports;
  const source = addresses.value.get(1) ?? addresses.value.get(3);
  const destination = addresses.value.get(2) ?? addresses.value.get(4);
  const protocol = u8In(ports.value, 1);
  if (source === undefined || destination === undefined || protocol === undefined)
    return malformed("connection without addresses or protocol");
  return decoded({
    protocol,
    source: source.slice(),
    destination: destination.slice(),
    sourcePort: portIn(ports.value, 2),
    destinationPort: portIn(ports.value, 3),
  });
}

/** Reads the body of a message about a connection. */
export function decodeConnection(body: Bytes): Decoded<TrackedConnection> {
  const family = body[0];
  if (body.length < 4 || (family !== AF_INET && family !== AF_INET6))
    return malformed("connection of a foreign family");
  const attributes = decodeAttributes(body.subarray(4));
  if (!attributes.ok) return attributes;
  const name = attributes.value.get(CTA_TUPLE_ORIG);
  const back = attributes.value.get(CTA_TUPLE_REPLY);
  if (name === undefined || back === undefined) return malformed("connection without a direction");
  const original = decodeTuple(name);
  if (!original.ok) return original;
  const reply = decodeTuple(back);
  if (!reply.ok) return reply;
  const value = { original: original.value, reply: reply.value, name: name.slice() };
  return decoded({ family: family === AF_INET ? 4 : 6, ...value });
}
