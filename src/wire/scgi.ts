/** SCGI: a netstring of names and values, each ended by a zero byte; CONTENT_LENGTH is the first. */
import { type Bytes, writeLatin1 } from "../base/bytes.ts";
import type { PairForm } from "./pairs.ts";

const NUL = 0;
const COMMA = 0x2c;

export const scgiPair: PairForm = {
  sizeOf: (nameLength, valueLength) => nameLength + 1 + valueLength + 1,
  write(bytes, at, name, value) {
    const nameEnd = writeLatin1(bytes, name, at);
    bytes[nameEnd] = NUL;
    const valueEnd = writeLatin1(bytes, value, nameEnd + 1);
    bytes[valueEnd] = NUL;
    return valueEnd + 1;
  },
};

const LENGTH_NAME = "CONTENT_LENGTH";
/** What `writeScgiStart` and `writeScgiEnd` need at most beside the pairs: the netstring's length, the first pair, punctuation. */
export const SCGI_OVERHEAD_BYTES = 64;

/** Begins a request with a body of `bodyBytes` whose other pairs have `pairBytes`; the offset behind CONTENT_LENGTH. */
export function writeScgiStart(bytes: Bytes, at: number, bodyBytes: number, pairBytes: number): number {
  const value = String(bodyBytes);
  const total = scgiPair.sizeOf(LENGTH_NAME.length, value.length) + pairBytes;
  return scgiPair.write(bytes, writeLatin1(bytes, `${total}:`, at), LENGTH_NAME, value);
}

/** Ends the netstring. */
export function writeScgiEnd(bytes: Bytes, at: number): number {
  bytes[at] = COMMA;
  return at + 1;
}
