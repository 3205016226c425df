/**
 * VRRP version 2 inside an IPsec authentication header (RFC 2338 §5.3.6.3, RFC 2402), as keepalived sends it: HMAC-MD5-96, the
 * sender's address as SPI. keepalived's counterpart: vrrp_build_ipsecah, vrrp_in_chk_ipsecah.
 *
 *      0                   1                   2                   3
 *     | Next header   |  Words - 2    |           reserved            |
 *     |                 Security parameters index                     |
 *     |                     Sequence number                           |
 *     |          Integrity check value, 12 bytes                      |
 */
import { type Bytes, concatBytes } from "../../base/bytes.ts";
import { type Decoded, decoded, malformed } from "../../base/decoded.ts";
import { md5 } from "../../base/hash-md5.ts";
import { hmac } from "../../base/hmac.ts";
import { encodeIpv4, type Ipv4Fields } from "../ipv4.ts";
import { VRRP_PROTOCOL } from "./advert.ts";

export const AH_PROTOCOL = 51;
/** Bytes between the IP header and the VRRP message. */
export const AH_BYTES = 24;
const ICV_AT = 12;
const ICV_BYTES = 12;

/** The header in front of a message, read but not judged. */
export interface AuthenticationHeader {
  readonly nextHeader: number;
  /** The SPI, which is to be the sender's address. */
  readonly spi: Bytes;
  readonly sequence: number;
  readonly check: Bytes;
}

/** What decides about a check value besides the packet. */
export interface AhKey {
  /** Eight bytes. */
  readonly password: Bytes;
  /** Routers on the way change the TTL of a unicast packet, so it does not enter. */
  readonly isUnicast: boolean;
}

/** A whole packet: IP header, authentication header, message. */
export function encodeAh(fields: Omit<Ipv4Fields, "protocol">, sequence: number, message: Bytes, key: AhKey): Bytes {
  const header = new Uint8Array(AH_BYTES);
  header[0] = VRRP_PROTOCOL;
  header[1] = AH_BYTES / 4 - 2;
  header.set(fields.source, 4);
  new DataView(header.buffer).setUint32(8, sequence);
  const packet = encodeIpv4({ ...fields, protocol: AH_PROTOCOL }, concatBytes([header, message]));
  const headerBytes = packet.length - AH_BYTES - message.length;
  packet.set(ahCheck(packet, headerBytes, key), headerBytes + ICV_AT);
  return packet;
}

/** Reads the header at the beginning of an IP payload; the only way to fail is to be shorter than that. */
export function decodeAh(payload: Bytes): Decoded<AuthenticationHeader> {
  if (payload.length < AH_BYTES) return malformed("shorter than an authentication header");
  return decoded({
    nextHeader: payload[0] as number,
    spi: payload.slice(4, 8),
    sequence: new DataView(payload.buffer, payload.byteOffset).getUint32(8),
    check: payload.slice(ICV_AT, ICV_AT + ICV_BYTES),
  });
}

/** The check value of a packet: what may change on its way counts as zero (RFC 2402 §3.3.3.1.1.1), and so does the value itself. */
export function ahCheck(packet: Bytes, headerBytes: number, { password, isUnicast }: AhKey): Bytes {
  const copy = packet.slice();
  copy[1] = 0;
  copy.fill(0, 6, 8);
  if (isUnicast) copy[8] = 0;
  copy.fill(0, 10, 12);
  copy.fill(0, headerBytes + ICV_AT, headerBytes + ICV_AT + ICV_BYTES);
  return hmac(md5, password, [copy]).slice(0, ICV_BYTES);
}
