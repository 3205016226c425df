/** Addresses of links in rtnetlink: struct ifaddrmsg and its IFA_* attributes (linux/if_addr.h). */
import { type Bytes, concatBytes } from "../../base/bytes.ts";
import { type Decoded, decoded, malformed } from "../../base/decoded.ts";
import type { IpAddress } from "../../base/ip.ts";
import { attribute, attributeText, attributeU32, decodeAttributes, textIn, u32In } from "./attributes.ts";
import { HOST_LITTLE_ENDIAN, viewOf } from "./message.ts";

export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
export const RTM_GETADDR = 22;

export const AF_INET = 2;
export const AF_BRIDGE = 7;
export const AF_INET6 = 10;

export const IFA_F_NODAD = 0x2;
export const IFA_F_DADFAILED = 0x8;
export const IFA_F_HOMEADDRESS = 0x10;
/** The preferred lifetime is over. */
export const IFA_F_DEPRECATED = 0x20;
export const IFA_F_TENTATIVE = 0x40;
export const IFA_F_MANAGETEMPADDR = 0x100;
export const IFA_F_NOPREFIXROUTE = 0x200;
export const IFA_F_MCAUTOJOIN = 0x400;

/** A lifetime without end. */
export const LIFETIME_FOREVER = 0xffffffff;

const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_LABEL = 3;
const IFA_BROADCAST = 4;
const IFA_CACHEINFO = 6;
const IFA_FLAGS = 8;
const ADDRESS_HEADER_BYTES = 8;
const CACHE_INFO_BYTES = 16;

export interface AddressMessage {
  readonly linkIndex: number;
  /** The address of this machine (IFA_LOCAL, or IFA_ADDRESS where the kernel sends only that one). */
  readonly ip: IpAddress;
  readonly prefixLength: number;
  /** The other end of a point-to-point address; undefined when there is none. */
  readonly peer: IpAddress | undefined;
  readonly broadcast: IpAddress | undefined;
  readonly label: string | undefined;
  /** RT_SCOPE_*: 0 global, 200 site, 253 link, 254 host. */
  readonly scope: number;
  /** IFA_F_* bits, all 32. */
  readonly flags: number;
  /** Seconds; `LIFETIME_FOREVER` when unlimited, undefined to leave it to the kernel. */
  readonly preferredS: number | undefined;
  readonly validS: number | undefined;
}

/** The body of RTM_NEWADDR or RTM_DELADDR. */
export function encodeAddress(address: AddressMessage): Bytes {
  const header = new Uint8Array(ADDRESS_HEADER_BYTES);
  header[0] = address.ip.length === 4 ? AF_INET : AF_INET6;
  header[1] = address.prefixLength;
  header[2] = address.flags & 0xff;
  header[3] = address.scope;
  viewOf(header).setUint32(4, address.linkIndex, HOST_LITTLE_ENDIAN);
  const parts = [header, attribute(IFA_LOCAL, address.ip), attribute(IFA_ADDRESS, address.peer ?? address.ip)];
  if (address.broadcast !== undefined) parts.push(attribute(IFA_BROADCAST, address.broadcast));
  if (address.label !== undefined) parts.push(attributeText(IFA_LABEL, address.label));
  if (address.flags > 0xff) parts.push(attributeU32(IFA_FLAGS, address.flags));
  if (address.preferredS !== undefined || address.validS !== undefined) {
    const cacheInfo = new Uint8Array(CACHE_INFO_BYTES);
    const view = viewOf(cacheInfo);
    view.setUint32(0, address.preferredS ?? LIFETIME_FOREVER, HOST_LITTLE_ENDIAN);
    view.setUint32(4, address.validS ?? LIFETIME_FOREVER, HOST_LITTLE_ENDIAN);
    parts.push(attribute(IFA_CACHEINFO, cacheInfo));
  }
  return concatBytes(parts);
}

/** Reads the body of RTM_NEWADDR or RTM_DELADDR. Malformed when it names no address of its family. */
export function decodeAddress(body: Bytes): Decoded<AddressMessage> {
  if (body.length < ADDRESS_HEADER_BYTES) return malformed("address message cut short");
  const family = body[0] as number;
  const sizeBytes = family === AF_INET ? 4 : family === AF_INET6 ? 16 : 0;
  if (sizeBytes === 0) return malformed("address message of a foreign family");
  const parsed = decodeAttributes(body.subarray(ADDRESS_HEADER_BYTES));
  if (!parsed.ok) return parsed;
  const attributes = parsed.value;
  const address = attributes.get(IFA_ADDRESS);
  const ip = attributes.get(IFA_LOCAL) ?? address;
  if (ip?.length !== sizeBytes) return malformed("address message without an address");
  const isPeer = address !== undefined && address.length === sizeBytes && !address.every((byte, i) => byte === ip[i]);
  const broadcast = attributes.get(IFA_BROADCAST);
  const cacheInfo = attributes.get(IFA_CACHEINFO);
  const lifetimes = cacheInfo !== undefined && cacheInfo.length >= CACHE_INFO_BYTES ? viewOf(cacheInfo) : undefined;
  return decoded({
    linkIndex: viewOf(body).getUint32(4, HOST_LITTLE_ENDIAN),
    ip: ip.slice(),
    prefixLength: body[1] as number,
    peer: isPeer ? address.slice() : undefined,
    broadcast: broadcast?.length === sizeBytes ? broadcast.slice() : undefined,
    label: textIn(attributes, IFA_LABEL),
    scope: body[3] as number,
    flags: u32In(attributes, IFA_FLAGS) ?? (body[2] as number),
    preferredS: lifetimes?.getUint32(0, HOST_LITTLE_ENDIAN),
    validS: lifetimes?.getUint32(4, HOST_LITTLE_ENDIAN),
  });
}
