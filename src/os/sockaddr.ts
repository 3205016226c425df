/** `struct sockaddr_in`, `sockaddr_in6` and `sockaddr_un` ⇄ endpoints. ip(7), ipv6(7), unix(7). */
import { type Bytes, latin1, writeLatin1 } from "../base/bytes.ts";
import type { IpAddress } from "../base/ip.ts";
import type { Endpoint } from "../io/stream.ts";
import { AF_INET, AF_INET6, AF_UNIX } from "./ffi/sockets.ts";

/** The largest of them (`sockaddr_un`), rounded up: what to reserve for one. */
export const SOCKADDR_BYTES = 112;
/** Longest path of a unix socket, without its final NUL. */
export const UNIX_PATH_BYTES = 107;

/** The address family that an endpoint needs. */
export function familyOf(endpoint: Endpoint): number {
  if ("path" in endpoint) return AF_UNIX;
  return endpoint.ip.length === 4 ? AF_INET : AF_INET6;
}

/** Writes the endpoint at `offset` and returns how many bytes it takes; a longer unix path than fits is cut. */
export function encodeEndpoint(target: Bytes, offset: number, endpoint: Endpoint): number {
  const family = familyOf(endpoint);
  target[offset] = family;
  target[offset + 1] = 0;
  if ("path" in endpoint) {
    const path = endpoint.path.slice(0, UNIX_PATH_BYTES);
    const end = writeLatin1(target, path, offset + 2);
    target[end] = 0;
    return end + 1 - offset;
  }
  target[offset + 2] = endpoint.port >> 8;
  target[offset + 3] = endpoint.port & 0xff;
  if (family === AF_INET) {
    target.set(endpoint.ip, offset + 4);
    target.fill(0, offset + 8, offset + 16);
    return 16;
  }
  target.fill(0, offset + 4, offset + 8);
  target.set(endpoint.ip, offset + 8);
  target.fill(0, offset + 24, offset + 28);
  return 28;
}

/** A copy of an address's bytes; they may be shared with other endpoints, as no endpoint ever changes. */
export type CopyIp = (source: Bytes, start: number, end: number) => IpAddress;

/** Reads the address that the kernel has written; an unnamed unix socket has the path "". */
export function decodeEndpoint(source: Bytes, offset: number, length: number, copyIp: CopyIp = slice): Endpoint {
  const family = length < 2 ? AF_UNIX : (source[offset] as number) | ((source[offset + 1] as number) << 8);
  if (family === AF_INET || family === AF_INET6) {
    const port = ((source[offset + 2] as number) << 8) | (source[offset + 3] as number);
    const start = family === AF_INET ? offset + 4 : offset + 8;
    return { ip: copyIp(source, start, start + (family === AF_INET ? 4 : 16)), port };
  }
  let end = offset + 2;
  while (end < offset + length && source[end] !== 0) end++;
  return { path: length <= 2 ? "" : latin1(source, offset + 2, end) };
}

function slice(source: Bytes, start: number, end: number): IpAddress {
  return source.slice(start, end);
}
