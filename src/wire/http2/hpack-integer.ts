/** HPACK integers, RFC 7541 §5.1: the low bits of a byte, continued in groups of seven. */
import type { Bytes } from "../../base/bytes.ts";

/** The largest that is read; nothing in a field block has a reason to be longer. */
export const LARGEST_INTEGER = 2 ** 31 - 1;
/** Continuation bytes that such a number can need; zeros behind it are refused, too. */
const MAX_CONTINUATION = 5;

/** Reads one number after another. */
export class IntegerReader {
  value = 0;
  /** Offset behind it. */
  position = 0;

  /** False when the bytes end within the number, or when it is too large. `prefixBits`: 1 to 8 of the first byte. */
  read(bytes: Bytes, at: number, end: number, prefixBits: number): boolean {
    if (at >= end) return false;
    const most = (1 << prefixBits) - 1;
    let value = (bytes[at++] as number) & most;
    if (value === most) {
      for (let i = 0, unit = 1; ; i++, unit *= 128) {
        if (i === MAX_CONTINUATION || at >= end) return false;
        const byte = bytes[at++] as number;
        value += (byte & 127) * unit;
        if (byte < 128) break;
      }
      if (value > LARGEST_INTEGER) return false;
    }
    this.value = value;
    this.position = at;
    return true;
  }
}

/** Bytes that a number takes behind a prefix of so many bits. */
export function integerBytes(value: number, prefixBits: number): number {
  let rest = value - ((1 << prefixBits) - 1);
  if (rest < 0) return 1;
  let size = 2;
  for (; rest >= 128; rest = Math.floor(rest / 128)) size++;
  return size;
}

/** Writes a number behind the bits that `first` has above the prefix; returns the offset behind it. */
export function writeInteger(target: Bytes, at: number, value: number, prefixBits: number, first: number): number {
  const most = (1 << prefixBits) - 1;
  if (value < most) {
    target[at] = first | value;
    return at + 1;
  }
  target[at++] = first | most;
  let rest = value - most;
  for (; rest >= 128; rest = Math.floor(rest / 128)) target[at++] = (rest & 127) | 128;
  target[at++] = rest;
  return at;
}
