/**
 * The header that tells an upstream who the client is. nginx: ngx_proxy_protocol_write, ngx_proxy_protocol_v2_write.
 */
import { type Bytes, concatBytes, fromLatin1 } from "../../base/bytes.ts";
import { crc32c } from "../../base/hash-crc32c.ts";
import { type IpAddress, printIp } from "../../base/ip.ts";
import { SIGNATURE, V2_FIXED } from "./decode.ts";
import { encodeTlv, TLV_CRC32C, TLV_SSL } from "./tlv.ts";

/** An end to be told of; undefined for a unix socket. */
export type EncodedEnd = { readonly ip: IpAddress; readonly port: number } | undefined;

/** Version 1, the line with its end. An end without an address makes it UNKNOWN. */
export function encodeProxyV1(source: EncodedEnd, destination: EncodedEnd): Bytes {
  if (source === undefined || destination === undefined) return fromLatin1("PROXY UNKNOWN\r\n");
  const family = source.ip.length === 4 ? "TCP4" : "TCP6";
  const addresses = `${printIp(source.ip)} ${printIp(destination.ip)}`;
  return fromLatin1(`PROXY ${family} ${addresses} ${source.port} ${destination.port}\r\n`);
}

/** What the SSL field says (proxy-protocol.txt, 2.2.5). */
export interface EncodedSsl {
  /** PP2_CLIENT_SSL 1, PP2_CLIENT_CERT_CONN 2, PP2_CLIENT_CERT_SESS 4. */
  readonly client: number;
  /** 0: the client's certificate was verified. */
  readonly verify: number;
  /** Fields of its own, types of `SSL_NAMES`. */
  readonly fields: readonly { readonly type: number; readonly value: Bytes }[];
}

export interface EncodedFields {
  readonly fields: readonly { readonly type: number; readonly value: Bytes }[];
  readonly ssl: EncodedSsl | undefined;
}

const NO_FIELDS: EncodedFields = { fields: [], ssl: undefined };
const LOCAL = 0x20;
const PROXY = 0x21;
const STREAM = 1;
const DATAGRAM = 2;

/**
 * Version 2, with a checksum field at its end as nginx writes it. Ends of both families are both written as IPv6; two IPv4-mapped
 * ones as IPv4; an end without an address makes it LOCAL. All fields together must fit into 65,535 bytes.
 */
export function encodeProxyV2(
  source: EncodedEnd,
  destination: EncodedEnd,
  transport: "stream" | "datagram" = "stream",
  extra: EncodedFields = NO_FIELDS,
): Bytes {
  const addresses = addressBlock(source, destination);
  const parts = [
    ...extra.fields.map(({ type, value }) => encodeTlv(type, value)),
    ...(extra.ssl === undefined ? [] : [encodeSsl(extra.ssl)]),
    encodeTlv(TLV_CRC32C, new Uint8Array(4)),
  ];
  const header = concatBytes([SIGNATURE, new Uint8Array(V2_FIXED - SIGNATURE.length), addresses, ...parts]);
  const family = addresses.length === 0 ? 0 : addresses.length === 12 ? 1 : 2;
  header[12] = family === 0 ? LOCAL : PROXY;
  header[13] = family === 0 ? 0 : (family << 4) | (transport === "stream" ? STREAM : DATAGRAM);
  const view = new DataView(header.buffer, header.byteOffset, header.length);
  view.setUint16(14, header.length - V2_FIXED);
  view.setUint32(header.length - 4, crc32c(header));
  return header;
}

/** Both addresses, both ports: 12 bytes for IPv4, 36 for IPv6, none when an end has no address. */
function addressBlock(source: EncodedEnd, destination: EncodedEnd): Bytes {
  if (source === undefined || destination === undefined) return new Uint8Array(0);
  let from = source.ip;
  let to = destination.ip;
  if (from.length !== to.length) {
    from = mapped(from);
    to = mapped(to);
  } else if (isMapped(from) && isMapped(to)) {
    from = from.subarray(12);
    to = to.subarray(12);
  }
  const port = (value: number): Bytes => Uint8Array.of(value >> 8, value & 0xff);
  return concatBytes([from, to, port(source.port), port(destination.port)]);
}

function mapped(ip: IpAddress): IpAddress {
  if (ip.length === 16) return ip;
  return Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...ip);
}

function isMapped(ip: IpAddress): boolean {
  return ip.length === 16 && ip.every((byte, i) => i >= 12 || byte === (i < 10 ? 0 : 0xff));
}

function encodeSsl({ client, verify, fields }: EncodedSsl): Bytes {
  const fixed = new Uint8Array(5);
  fixed[0] = client;
  new DataView(fixed.buffer).setUint32(1, verify);
  return encodeTlv(TLV_SSL, concatBytes([fixed, ...fields.map(({ type, value }) => encodeTlv(type, value))]));
}
