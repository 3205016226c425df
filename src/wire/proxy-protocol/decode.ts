/**
 * The header with which a proxy says who its client is: version 1 in text, version 2 in binary (HAProxy's proxy-protocol.txt).
 * Takes what nginx takes and refuses in its words; counterpart: ngx_proxy_protocol_read.
 */
import { type Bytes, fromLatin1, latin1 } from "../../base/bytes.ts";
import { printIp } from "../../base/ip.ts";

/** One end as the header names it. */
export interface ProxyEnd {
  /** As it was sent in version 1 (hexadecimal digits, dots and colons, no more is checked); printed in version 2. */
  readonly address: string;
  readonly port: number;
}

export interface ProxyHeader {
  /** Bytes that the header took; the connection's own begin behind them. */
  readonly sizeBytes: number;
  /** Undefined when the proxy speaks for itself (LOCAL) or of a kind of connection that has no addresses (UNKNOWN). */
  readonly ends: { readonly source: ProxyEnd; readonly destination: ProxyEnd } | undefined;
  /** Version 2: the type-length-value fields behind the addresses. */
  readonly tlvs: Bytes;
}

export type ProxyHeaderResult =
  | { readonly kind: "header"; readonly header: ProxyHeader }
  /** What there is may be the beginning of a header. nginx waits for no more and refuses with this reason. */
  | { readonly kind: "incomplete"; readonly reason: string }
  | { readonly kind: "malformed"; readonly reason: string };

/** Longest header of version 1, line end included. */
export const MAX_V1_HEADER = 107;
/** What nginx reads at most: a longer header of version 2 is refused. */
export const MAX_HEADER = 4096;

/** What every header of version 2 begins with. */
export const SIGNATURE = Uint8Array.of(0x0d, 0x0a, 0x0d, 0x0a, 0, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a);
export const V2_FIXED = 16;
const TEXT_START = Uint8Array.from("PROXY ", (character) => character.charCodeAt(0));
/** What a header of version 1 goes on with. */
const KINDS = ["TCP4 ", "TCP6 ", "UNKNOWN"].map(fromLatin1);
const NOTHING = new Uint8Array(0);

const CR = 0x0d;
const LF = 0x0a;

/** Reads the header at the start of `bytes`. */
export function decodeProxyHeader(bytes: Bytes): ProxyHeaderResult {
  if (bytes.length >= V2_FIXED && startsWith(bytes, SIGNATURE)) return decodeV2(bytes);
  const v1 = startsWith(bytes, TEXT_START) ? decodeV1(bytes) : undefined;
  if (v1 !== undefined) return { kind: "header", header: v1 };
  const reason = `broken header: "${firstLine(bytes)}"`;
  return { kind: mayGrow(bytes) ? "incomplete" : "malformed", reason };
}

/** True when the shorter of both is the beginning of the longer. */
function startsWith(bytes: Bytes, start: Bytes): boolean {
  const length = Math.min(bytes.length, start.length);
  for (let i = 0; i < length; i++) if (bytes[i] !== start[i]) return false;
  return true;
}

function firstLine(bytes: Bytes): string {
  const end = bytes.findIndex((byte) => byte === CR || byte === LF);
  return latin1(bytes, 0, end < 0 ? bytes.length : end);
}

/** No line has ended yet, and none is too long for a header. */
function mayGrow(bytes: Bytes): boolean {
  if (startsWith(bytes, SIGNATURE)) return bytes.length < V2_FIXED;
  if (!startsWith(bytes, TEXT_START) || bytes.length >= MAX_V1_HEADER || bytes.includes(LF)) return false;
  const kind = bytes.subarray(TEXT_START.length);
  return KINDS.some((known) => startsWith(kind, known));
}

/** `PROXY TCP4 SOURCE DESTINATION PORT PORT\r\n` or `PROXY UNKNOWN …\r\n`; undefined for anything else. */
function decodeV1(bytes: Bytes): ProxyHeader | undefined {
  const line = latin1(bytes, 0, Math.min(bytes.length, MAX_HEADER));
  if (line.startsWith("PROXY UNKNOWN")) {
    const end = line.indexOf("\r\n");
    return end < 0 ? undefined : { sizeBytes: end + 2, ends: undefined, tlvs: NOTHING };
  }
  const match = /^PROXY TCP[46] ([0-9a-fA-F:.]*) ([0-9a-fA-F:.]*) (\d+) (\d+)\r\n/.exec(line);
  if (match === null) return undefined;
  const [whole, from, to, fromPort, toPort] = match as unknown as [string, string, string, string, string];
  const source = { address: from, port: Number(fromPort) };
  const destination = { address: to, port: Number(toPort) };
  if (source.port > 65535 || destination.port > 65535) return undefined;
  return { sizeBytes: whole.length, ends: { source, destination }, tlvs: NOTHING };
}

const COMMAND_PROXY = 1;
const STREAM = 1;
const IPV4 = 1;
const IPV6 = 2;

function decodeV2(bytes: Bytes): ProxyHeaderResult {
  const version = (bytes[12] as number) >> 4;
  if (version !== 2) return { kind: "malformed", reason: `unknown PROXY protocol version: ${version}` };
  const sizeBytes = V2_FIXED + (((bytes[14] as number) << 8) | (bytes[15] as number));
  if (bytes.length < sizeBytes) {
    return { kind: sizeBytes > MAX_HEADER ? "malformed" : "incomplete", reason: "header is too large" };
  }
  const command = (bytes[12] as number) & 0xf;
  const transport = (bytes[13] as number) & 0xf;
  const family = (bytes[13] as number) >> 4;
  const without: ProxyHeaderResult = { kind: "header", header: { sizeBytes, ends: undefined, tlvs: NOTHING } };
  if (command !== COMMAND_PROXY || transport !== STREAM || (family !== IPV4 && family !== IPV6)) return without;
  const size = family === IPV4 ? 4 : 16;
  const tlvStart = V2_FIXED + 2 * size + 4;
  if (tlvStart > sizeBytes) return { kind: "malformed", reason: "PROXY protocol header ends within its addresses" };
  const end = (at: number, portAt: number): ProxyEnd => ({
    address: printIp(bytes.subarray(at, at + size)),
    port: ((bytes[portAt] as number) << 8) | (bytes[portAt + 1] as number),
  });
  const ports = V2_FIXED + 2 * size;
  const ends = { source: end(V2_FIXED, ports), destination: end(V2_FIXED + size, ports + 2) };
  return { kind: "header", header: { sizeBytes, ends, tlvs: bytes.slice(tlvStart, sizeBytes) } };
}
