/** CRC-32 (ISO 3309, polynomial 0xEDB88320 reflected), as nginx's ngx_crc32 and zlib calculate it. */
import type { Bytes } from "./bytes.ts";

const TABLE = makeTable(0xedb88320);

/** A table for the reflected polynomial: the remainder of each byte. */
export function makeTable(polynomial: number): Uint32Array {
  const table = new Uint32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let remainder = byte;
    for (let bit = 0; bit < 8; bit++)
      remainder = (remainder & 1) === 1 ? (remainder >>> 1) ^ polynomial : remainder >>> 1;
    table[byte] = remainder;
  }
  return table;
}

/** The state before the first byte. */
export const CRC32_START = -1;

/** The state behind `bytes[start, end)`; `crc32Final` makes the checksum of it. */
export function crc32Update(state: number, bytes: Bytes, start = 0, end = bytes.length): number {
  for (let i = start; i < end; i++) state = (TABLE[(state ^ (bytes[i] as number)) & 0xff] as number) ^ (state >>> 8);
  return state;
}

/** The checksum, 0 … 2³²−1, that a state stands for. */
export function crc32Final(state: number): number {
  return ~state >>> 0;
}

/** Checksum of `bytes[start, end)`, 0 … 2³²−1. */
export function crc32(bytes: Bytes, start = 0, end = bytes.length): number {
  return crc32Final(crc32Update(CRC32_START, bytes, start, end));
}
