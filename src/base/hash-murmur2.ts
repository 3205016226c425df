/** MurmurHash2, 32 bits, seed 0: what split_clients shares its visitors out by. nginx: ngx_murmur_hash2. */
import type { Bytes } from "./bytes.ts";

const MULTIPLIER = 0x5bd1e995;

/** Hash of the bytes, 0 … 2³²−1. */
export function murmur2(bytes: Bytes): number {
  let hash = bytes.length;
  let at = 0;
  for (; bytes.length - at >= 4; at += 4) {
    let word = littleEndian(bytes, at, 4);
    word = Math.imul(word, MULTIPLIER);
    word ^= word >>> 24;
    word = Math.imul(word, MULTIPLIER);
    hash = Math.imul(hash, MULTIPLIER) ^ word;
  }
  if (at < bytes.length) hash = Math.imul(hash ^ littleEndian(bytes, at, bytes.length - at), MULTIPLIER);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, MULTIPLIER);
  hash ^= hash >>> 15;
  return hash >>> 0;
}

function littleEndian(bytes: Bytes, at: number, size: number): number {
  let word = 0;
  for (let i = 0; i < size; i++) word |= (bytes[at + i] as number) << (8 * i);
  return word;
}
