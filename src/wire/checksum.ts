/** The Internet checksum (RFC 1071): the one's complement of the one's complement sum of 16-bit words. */
import type { Bytes } from "../base/bytes.ts";

/** Adds `bytes[start, end)` to a running sum; an odd last byte counts as the high half of a word. */
export function addWords(sum: number, bytes: Bytes, start = 0, end = bytes.length): number {
  let at = start;
  for (; at + 1 < end; at += 2) sum += ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
  if (at < end) sum += (bytes[at] as number) << 8;
  return sum;
}

/** Folds a running sum into the 16 bits that go on the wire; 0 means that a received message is intact. */
export function foldChecksum(sum: number): number {
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}

/** The sum of the pseudo-header of RFC 768 (IPv4) or RFC 8200 §8.1 (IPv6) by the family of the addresses. */
export function pseudoHeaderSum(source: Bytes, destination: Bytes, protocol: number, sizeBytes: number): number {
  return addWords(addWords(protocol + (sizeBytes >>> 16) + (sizeBytes & 0xffff), source), destination);
}

/** Reads a big-endian 16-bit number. */
export function readU16(bytes: Bytes, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}

/** Writes a big-endian 16-bit number. */
export function writeU16(bytes: Bytes, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value & 0xff;
}

/** Reads a big-endian 32-bit number. */
export function readU32(bytes: Bytes, at: number): number {
  return (
    (((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number)) >>>
    0
  );
}

/** Writes a big-endian 32-bit number. */
export function writeU32(bytes: Bytes, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}
