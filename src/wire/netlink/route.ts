/** Routes in rtnetlink: struct rtmsg and its RTA_* attributes (linux/rtnetlink.h). One next hop a route; a multipath route decodes without its hops. */
import { type Bytes, concatBytes } from "../../base/bytes.ts";
import { type Decoded, decoded, malformed } from "../../base/decoded.ts";
import type { IpAddress } from "../../base/ip.ts";
import { AF_INET, AF_INET6 } from "./address.ts";
import { attribute, attributeU32, decodeAttributes, u32In } from "./attributes.ts";
import { HOST_LITTLE_ENDIAN, viewOf } from "./message.ts";

export const RTM_NEWROUTE = 24;
export const RTM_DELROUTE = 25;
export const RTM_GETROUTE = 26;

/** Tables that have names: `main`, and `local` with the machine's own addresses. */
export const RT_TABLE_MAIN = 254;
export const RT_TABLE_LOCAL = 255;
/** Who made the route: the kernel for an address, at boot, by an administrator, keepalived's own number. */
export const RTPROT_KERNEL = 2;
export const RTPROT_BOOT = 3;
export const RTPROT_STATIC = 4;
export const RTPROT_KEEPALIVED = 18;
export const RTN_UNICAST = 1;

const RTA_DST = 1;
const RTA_SRC = 2;
const RTA_IIF = 3;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PRIORITY = 6;
const RTA_PREFSRC = 7;
const RTA_TABLE = 15;
const ROUTE_HEADER_BYTES = 12;

export interface RouteMessage {
  /** AF_INET or AF_INET6. */
  readonly family: number;
  /** undefined for the default route. */
  readonly destination: IpAddress | undefined;
  readonly prefixLength: number;
  readonly source: IpAddress | undefined;
  readonly sourcePrefixLength: number;
  readonly gateway: IpAddress | undefined;
  /** The address that packets get which this machine sends by the route. */
  readonly preferredSource: IpAddress | undefined;
  readonly inputIndex: number | undefined;
  readonly outputIndex: number | undefined;
  /** The metric: lower is preferred. */
  readonly priority: number | undefined;
  readonly table: number;
  /** RTPROT_*. */
  readonly protocol: number;
  readonly scope: number;
  /** RTN_*: 1 unicast, 6 blackhole, 7 unreachable … */
  readonly type: number;
  readonly typeOfService: number;
  /** RTM_F_* and RTNH_F_* bits. */
  readonly flags: number;
}

/** The body of RTM_NEWROUTE or RTM_DELROUTE. */
export function encodeRoute(route: RouteMessage): Bytes {
  const header = Uint8Array.of(
    route.family,
    route.prefixLength,
    route.sourcePrefixLength,
    route.typeOfService,
    route.table <= 255 ? route.table : 0,
    route.protocol,
    route.scope,
    route.type,
    0,
    0,
    0,
    0,
  );
  viewOf(header).setUint32(8, route.flags, HOST_LITTLE_ENDIAN);
  const parts: Bytes[] = [header, attributeU32(RTA_TABLE, route.table)];
  const address = (type: number, value: IpAddress | undefined): void => {
    if (value !== undefined) parts.push(attribute(type, value));
  };
  const number = (type: number, value: number | undefined): void => {
    if (value !== undefined) parts.push(attributeU32(type, value));
  };
  address(RTA_DST, route.destination);
  address(RTA_SRC, route.source);
  number(RTA_IIF, route.inputIndex);
  number(RTA_OIF, route.outputIndex);
  address(RTA_GATEWAY, route.gateway);
  number(RTA_PRIORITY, route.priority);
  address(RTA_PREFSRC, route.preferredSource);
  return concatBytes(parts);
}

/** Reads the body of RTM_NEWROUTE or RTM_DELROUTE. Malformed when of another family than IPv4 and IPv6. */
export function decodeRoute(body: Bytes): Decoded<RouteMessage> {
  if (body.length < ROUTE_HEADER_BYTES) return malformed("route message cut short");
  const family = body[0] as number;
  const sizeBytes = family === AF_INET ? 4 : family === AF_INET6 ? 16 : 0;
  if (sizeBytes === 0) return malformed("route message of a foreign family");
  const parsed = decodeAttributes(body.subarray(ROUTE_HEADER_BYTES));
  if (!parsed.ok) return parsed;
  const attributes = parsed.value;
  const address = (type: number): IpAddress | undefined => {
    const value = attributes.get(type);
    return value?.length === sizeBytes ? value.slice() : undefined;
  };
  return decoded({
    family,
    destination: address(RTA_DST),
    prefixLength: body[1] as number,
    source: address(RTA_SRC),
    sourcePrefixLength: body[2] as number,
    gateway: address(RTA_GATEWAY),
    preferredSource: address(RTA_PREFSRC),
    inputIndex: u32In(attributes, RTA_IIF),
    outputIndex: u32In(attributes, RTA_OIF),
    priority: u32In(attributes, RTA_PRIORITY),
    table: u32In(attributes, RTA_TABLE) ?? (body[4] as number),
    protocol: body[5] as number,
    scope: body[6] as number,
    type: body[7] as number,
    typeOfService: body[3] as number,
    flags: viewOf(body).getUint32(8, HOST_LITTLE_ENDIAN),
  });
}
