/** Requests about routes with everything that `ip route` can say: metrics, several next hops, lifetimes (linux/rtnetlink.h). */
import { type Bytes, concatBytes, fromUtf8 } from "../../base/bytes.ts";
import type { IpAddress } from "../../base/ip.ts";
import type { IpRoute, NextHop } from "../../base/ip-route.ts";
import { AF_INET, AF_INET6 } from "./address.ts";
import { attribute, attributeU8, attributeU32 } from "./attributes.ts";
import { HOST_LITTLE_ENDIAN, viewOf } from "./message.ts";

const RTA_DST = 1;
const RTA_SRC = 2;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PRIORITY = 6;
const RTA_PREFSRC = 7;
const RTA_METRICS = 8;
const RTA_MULTIPATH = 9;
const RTA_FLOW = 11;
const RTA_TABLE = 15;
const RTA_PREF = 20;
const RTA_EXPIRES = 23;
const RTA_TTL_PROPAGATE = 26;
const RTAX_LOCK = 1;
const RTAX_CC_ALGO = 16;
const RTNH_F_ONLINK = 4;
const RT_SCOPE_UNIVERSE = 0;
const RT_SCOPE_NOWHERE = 255;
const NEXT_HOP_BYTES = 8;

/** The body of RTM_NEWROUTE, or of RTM_DELROUTE, which leaves out what the kernel would not compare. */
export function encodeRouteRequest(route: IpRoute, purpose: "add" | "remove"): Bytes {
  const { destination, source, table } = route;
  const header = Uint8Array.of(
    route.family === 4 ? AF_INET : AF_INET6,
    destination.prefixLength,
    source?.prefixLength ?? 0,
    route.typeOfService,
    table < 256 ? table : 0,
    route.protocol,
    route.scope ?? (purpose === "add" ? RT_SCOPE_UNIVERSE : RT_SCOPE_NOWHERE),
    route.type,
    ...[0, 0, 0, 0],
  );
  viewOf(header).setUint32(8, route.onlink ? RTNH_F_ONLINK : 0, HOST_LITTLE_ENDIAN);
  const parts: Bytes[] = [header];
  const address = (type: number, value: IpAddress | undefined): void => {
    if (value !== undefined) parts.push(attribute(type, value));
  };
  const number = (type: number, value: number | undefined): void => {
    if (value !== undefined) parts.push(attributeU32(type, value));
  };
  if (table >= 256) number(RTA_TABLE, table);
  address(RTA_DST, destination.address);
  address(RTA_SRC, source?.address);
  address(RTA_PREFSRC, route.preferredSource);
  address(RTA_GATEWAY, route.gateway);
  number(RTA_OIF, route.linkIndex);
  number(RTA_PRIORITY, route.metric);
  if (route.realms !== 0) number(RTA_FLOW, route.realms);
  number(RTA_EXPIRES, route.expiresS);
  if (route.preference !== undefined) parts.push(attributeU8(RTA_PREF, route.preference));
  if (route.ttlPropagate !== undefined) parts.push(attributeU8(RTA_TTL_PROPAGATE, route.ttlPropagate));
  const metrics = encodeMetrics(route);
  if (metrics.length > 0) parts.push(attribute(RTA_METRICS, metrics));
  if (route.nextHops.length > 0) parts.push(attribute(RTA_MULTIPATH, concatBytes(route.nextHops.map(encodeNextHop))));
  return concatBytes(parts);
}

function encodeMetrics({ metrics, locks, congestionControl }: IpRoute): Bytes {
  const parts = metrics.map(([type, value]) => attributeU32(type, value));
  if (congestionControl !== undefined) parts.push(attribute(RTAX_CC_ALGO, fromUtf8(congestionControl)));
  if (parts.length > 0 && locks !== 0) parts.push(attributeU32(RTAX_LOCK, locks));
  return concatBytes(parts);
}

/** `struct rtnexthop` with its attributes. */
function encodeNextHop({ gateway, linkIndex = 0, weight, onlink, realms }: NextHop): Bytes {
  const attributes = [
    ...(gateway === undefined ? [] : [attribute(RTA_GATEWAY, gateway)]),
    ...(realms === 0 ? [] : [attributeU32(RTA_FLOW, realms)]),
  ];
  const bytes = concatBytes([new Uint8Array(NEXT_HOP_BYTES), ...attributes]);
  const view = viewOf(bytes);
  view.setUint16(0, bytes.length, HOST_LITTLE_ENDIAN);
  view.setUint8(2, onlink ? RTNH_F_ONLINK : 0);
  view.setUint8(3, weight - 1);
  view.setInt32(4, linkIndex, HOST_LITTLE_ENDIAN);
  return bytes;
}
