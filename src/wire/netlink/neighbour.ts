/** Neighbours (the ARP and NDP caches) in rtnetlink: struct ndmsg and its NDA_* attributes (linux/neighbour.h). */
import { type Bytes, concatBytes } from "../../base/bytes.ts";
import { type Decoded, decoded, malformed } from "../../base/decoded.ts";
import type { IpAddress } from "../../base/ip.ts";
import { AF_INET, AF_INET6 } from "./address.ts";
import { attribute, decodeAttributes } from "./attributes.ts";
import { HOST_LITTLE_ENDIAN, viewOf } from "./message.ts";

export const RTM_NEWNEIGH = 28;
export const RTM_DELNEIGH = 29;
export const RTM_GETNEIGH = 30;

/** States of RFC 4861 that the kernel uses for ARP, too. */
export const NUD_INCOMPLETE = 0x01;
export const NUD_REACHABLE = 0x02;
export const NUD_STALE = 0x04;
export const NUD_DELAY = 0x08;
export const NUD_PROBE = 0x10;
export const NUD_FAILED = 0x20;
export const NUD_NOARP = 0x40;
export const NUD_PERMANENT = 0x80;

const NDA_DST = 1;
const NDA_LLADDR = 2;
const NEIGHBOUR_HEADER_BYTES = 12;

export interface NeighbourMessage {
  readonly linkIndex: number;
  readonly ip: IpAddress;
  /** undefined while it is being asked for. */
  readonly mac: Bytes | undefined;
  /** NUD_* bit. */
  readonly state: number;
  /** NTF_* bits. */
  readonly flags: number;
  readonly type: number;
}

/** The body of RTM_GETNEIGH that asks for the neighbours of all families and links. */
export function encodeNeighbourRequest(): Bytes {
  return new Uint8Array(NEIGHBOUR_HEADER_BYTES);
}

/** The body of RTM_NEWNEIGH or RTM_DELNEIGH. */
export function encodeNeighbour(neighbour: NeighbourMessage): Bytes {
  const header = new Uint8Array(NEIGHBOUR_HEADER_BYTES);
  const view = viewOf(header);
  header[0] = neighbour.ip.length === 4 ? AF_INET : AF_INET6;
  view.setInt32(4, neighbour.linkIndex, HOST_LITTLE_ENDIAN);
  view.setUint16(8, neighbour.state, HOST_LITTLE_ENDIAN);
  header[10] = neighbour.flags;
  header[11] = neighbour.type;
  const parts = [header, attribute(NDA_DST, neighbour.ip)];
  if (neighbour.mac !== undefined) parts.push(attribute(NDA_LLADDR, neighbour.mac));
  return concatBytes(parts);
}

/** Reads the body of RTM_NEWNEIGH or RTM_DELNEIGH. Malformed when it names no address of its family. */
export function decodeNeighbour(body: Bytes): Decoded<NeighbourMessage> {
  if (body.length < NEIGHBOUR_HEADER_BYTES) return malformed("neighbour message cut short");
  const view = viewOf(body);
  const family = body[0] as number;
  const sizeBytes = family === AF_INET ? 4 : family === AF_INET6 ? 16 : 0;
  const attributes = decodeAttributes(body.subarray(NEIGHBOUR_HEADER_BYTES));
  if (!attributes.ok) return attributes;
  const ip = attributes.value.get(NDA_DST);
  if (sizeBytes === 0 || ip?.length !== sizeBytes) return malformed("neighbour message without an address");
  return decoded({
    linkIndex: view.getInt32(4, HOST_LITTLE_ENDIAN),
    ip: ip.slice(),
    mac: attributes.value.get(NDA_LLADDR)?.slice(),
    state: view.getUint16(8, HOST_LITTLE_ENDIAN),
    flags: body[10] as number,
    type: body[11] as number,
  });
}
