/** HMAC (RFC 2104) over a hash with blocks of 64 bytes: MD5, SHA-256. */
import { type Bytes, concatBytes } from "./bytes.ts";

const BLOCK = 64;

/** The whole digest of the parts, one behind the other. */
export function hmac(hash: (bytes: Bytes) => Bytes, key: Bytes, parts: readonly Bytes[]): Bytes {
  const short = key.length > BLOCK ? hash(key) : key;
  const pad = (byte: number): Bytes => Uint8Array.from({ length: BLOCK }, (_, i) => (short[i] ?? 0) ^ byte);
  const inner = hash(concatBytes([pad(0x36), ...parts]));
  return hash(concatBytes([pad(0x5c), inner]));
}

/** True when both hold the same bytes; how long it takes does not say where they differ. */
export function sameSecret(a: Bytes, b: Bytes): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] as number) ^ (b[i] as number);
  return difference === 0;
}
