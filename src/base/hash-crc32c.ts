/** CRC-32C (Castagnoli, polynomial 0x82F63B78 reflected, RFC 3720 appendix B.4): what PROXY protocol v2 carries. */
import type { Bytes } from "./bytes.ts";
import { makeTable } from "./hash-crc32.ts";

const TABLE = makeTable(0x82f63b78);

/** Checksum of `bytes[start, end)`, 0 … 2³²−1. */
export function crc32c(bytes: Bytes, start = 0, end = bytes.length): number {
  let state = -1;
  for (let i = start; i < end; i++) state = (TABLE[(state ^ (bytes[i] as number)) & 0xff] as number) ^ (state >>> 8);
  return ~state >>> 0;
}
