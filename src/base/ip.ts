/** IP addresses as bytes in network order: 4 for IPv4, 16 for IPv6 (RFC 4291 text, RFC 5952 when printed). */
import type { Bytes } from "./bytes.ts";

export type IpAddress = Bytes;

/** The addresses of a host name, best first; undefined when it has none. nginx asks getaddrinfo(3) while it reads its configuration. */
export type HostLookup = (name: string) => readonly IpAddress[] | undefined;

const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;

/** Reads `a.b.c.d`; undefined when it is anything else (no octal, no short forms). */
export function parseIpv4(text: string): IpAddress | undefined {
  const address = new Uint8Array(4);
  let part = 0;
  let octet = 0;
  let digits = 0;
  // The text has no character behind its end: there a dot is as good.
  for (let i = 0; i <= text.length; i++) {
    const code = i < text.length ? text.charCodeAt(i) : DOT;
    if (code === DOT) {
      if (digits === 0 || part === 4) return undefined;
      address[part++] = octet;
      octet = 0;
      digits = 0;
      continue;
    }
    if (code < ZERO || code > NINE) return undefined;
    octet = octet * 10 + code - ZERO;
    if (++digits > 3 || octet > 255) return undefined;
  }
  return part === 4 ? address : undefined;
}

/** Reads an IPv6 address without zone or brackets; undefined when malformed. */
export function parseIpv6(text: string): IpAddress | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0] as string);
  const tail = halves.length === 2 ? parseGroups(halves[1] as string) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...new Array<number>(missing).fill(0), ...tail];
  const address = new Uint8Array(16);
  for (let i = 0; i < 8; i++) {
    const group = groups[i] as number;
    address[2 * i] = group >> 8;
    address[2 * i + 1] = group & 0xff;
  }
  return address;
}

/** Groups of 16 bits between colons, the last of which may be a dotted IPv4 address. */
function parseGroups(text: string): number[] | undefined {
  if (text === "") return [];
  const groups: number[] = [];
  const parts = text.split(":");
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i] as string;
    if (i === parts.length - 1 && part.includes(".")) {
      const v4 = parseIpv4(part);
      if (v4 === undefined) return undefined;
      groups.push(((v4[0] as number) << 8) | (v4[1] as number), ((v4[2] as number) << 8) | (v4[3] as number));
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return undefined;
      groups.push(Number.parseInt(part, 16));
    }
  }
  return groups;
}

/** Reads either family; undefined when malformed. */
export function parseIp(text: string): IpAddress | undefined {
  return text.includes(":") ? parseIpv6(text) : parseIpv4(text);
}

/** `192.0.2.1`, or RFC 5952: lower case, the longest run of two or more zero groups as `::`. */
export function printIp(address: IpAddress): string {
  if (address.length === 4) return `${address[0]}.${address[1]}.${address[2]}.${address[3]}`;
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(((address[i] as number) << 8) | (address[i + 1] as number));
  let bestStart = -1;
  let bestLength = 1;
  for (let i = 0; i < 8; i++) {
    let length = 0;
    while (i + length < 8 && groups[i + length] === 0) length++;
    if (length > bestLength) {
      bestStart = i;
      bestLength = length;
    }
    i += length;
  }
  const print = (part: number[]): string => part.map((group) => group.toString(16)).join(":");
  const mapped = bestStart === 0 && (bestLength === 5 ? groups[5] === 0xffff : false);
  if (mapped) return `::ffff:${printIp(address.subarray(12))}`;
  if (bestStart < 0) return print(groups);
  return `${print(groups.slice(0, bestStart))}::${print(groups.slice(bestStart + bestLength))}`;
}

/** Negative, zero or positive as `a` is below, equal to or above `b` in network byte order. Same family only. */
export function compareIp(a: IpAddress, b: IpAddress): number {
  for (let i = 0; i < a.length; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** True when the first `prefixLength` bits of both are equal and the families match. */
export function sameNetwork(a: IpAddress, b: IpAddress, prefixLength: number): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0, left = prefixLength; left > 0; i++, left -= 8) {
    const mask = left >= 8 ? 0xff : (0xff << (8 - left)) & 0xff;
    if ((((a[i] as number) ^ (b[i] as number)) & mask) !== 0) return false;
  }
  return true;
}
