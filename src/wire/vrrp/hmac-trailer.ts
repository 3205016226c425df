/**
 * The authenticated trailer of keepalived 2.4 (draft-cassen-vrrp-auth-hmac), 28 bytes behind a VRRP message of either version:
 * HMAC-SHA-256, cut to 128 bits, over a pseudo-header, the message with a checksum of zero, and the trailer itself.
 * keepalived's counterpart: vrrp_auth_hmac.c.
 *
 *      0                   1                   2                   3
 *     |   Type = 1    |    Key id     |           reserved            |
 *     |                 seconds since the epoch                       |
 *     |   part of a second (2^-16)    |           counter             |
 *     |                 HMAC, 16 bytes                                |
 */
import type { Bytes } from "../../base/bytes.ts";
import { type Decoded, decoded, malformed } from "../../base/decoded.ts";
import { sha256 } from "../../base/hash-sha256.ts";
import { hmac } from "../../base/hmac.ts";
import type { IpAddress } from "../../base/ip.ts";
import { readU16, writeU16 } from "../checksum.ts";

export const TRAILER_BYTES = 28;
const TYPE_SHA256 = 1;
const HMAC_AT = 12;
const HMAC_BYTES = 16;
const CHECKSUM_AT = 6;
const CHECKSUM_BYTES = 2;
const PSEUDO_BYTES = 20;

/** What is bound into the HMAC, so that a trailer is of no use to another router or sender. */
export interface TrailerOrigin {
  readonly version: number;
  readonly vrid: number;
  readonly source: IpAddress;
}

export interface Trailer {
  readonly keyId: number;
  /** 64 bits: seconds, parts of a second, counter. */
  readonly sequence: bigint;
  readonly code: Bytes;
}

/** The trailer for a message whose checksum field may hold anything. */
export function encodeTrailer(
  message: Bytes,
  origin: TrailerOrigin,
  keyId: number,
  key: Bytes,
  sequence: bigint,
): Bytes {
  const trailer = new Uint8Array(TRAILER_BYTES);
  trailer[0] = TYPE_SHA256;
  trailer[1] = keyId;
  new DataView(trailer.buffer).setBigUint64(4, sequence);
  trailer.set(trailerCode(message, trailer, origin, key), HMAC_AT);
  return trailer;
}

/** Reads the 28 bytes; undefined kinds and bits are refused. */
export function decodeTrailer(bytes: Bytes): Decoded<Trailer> {
  if (bytes.length !== TRAILER_BYTES) return malformed("not the length of a trailer");
  if (bytes[0] !== TYPE_SHA256) return malformed(`unknown type ${bytes[0]}`);
  if (readU16(bytes, 2) !== 0) return malformed("reserved bits");
  const sequence = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(4);
  return decoded({ keyId: bytes[1] as number, sequence, code: bytes.slice(HMAC_AT) });
}

/** The HMAC of a message and the head of its trailer. */
export function trailerCode(message: Bytes, trailer: Bytes, origin: TrailerOrigin, key: Bytes): Bytes {
  const pseudo = new Uint8Array(PSEUDO_BYTES);
  pseudo[0] = origin.source.length === 16 ? 6 : 4;
  pseudo[1] = origin.version;
  pseudo[2] = origin.vrid;
  pseudo.set(origin.source, 4);
  const bare = message.slice();
  bare.fill(0, CHECKSUM_AT, CHECKSUM_AT + CHECKSUM_BYTES);
  const parts = [pseudo, bare, trailer.subarray(0, HMAC_AT), new Uint8Array(HMAC_BYTES)];
  return hmac(sha256, key, parts).slice(0, HMAC_BYTES);
}

/** The sequence of an instant, with a counter of zero. `wallMs` may have fractions. */
export function sequenceAt(wallMs: number): bigint {
  const seconds = Math.floor(wallMs / 1000);
  const part = Math.floor(((wallMs - seconds * 1000) / 1000) * 0x1_0000);
  return (BigInt(seconds >>> 0) << 32n) | (BigInt(part) << 16n);
}

/** True when `a` comes behind `b`, also across the wrap of 64 bits (RFC 1982). */
export function isLater(a: bigint, b: bigint): boolean {
  return BigInt.asIntN(64, a - b) > 0n;
}

/** How many seconds the wall clock is ahead of a sequence. */
export function ageS(sequence: bigint, wallMs: number): number {
  return (Math.floor(wallMs / 1000) - Number(sequence >> 32n)) | 0;
}

/** Puts the checksum of IPv6, which covers the trailer too, into a message with its trailer. */
export function writeChecksum(bytes: Bytes, checksum: number): void {
  writeU16(bytes, CHECKSUM_AT, checksum);
}
