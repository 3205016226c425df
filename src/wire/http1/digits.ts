/** Numbers as ASCII bytes, without a string in between. */
import type { Bytes } from "../../base/bytes.ts";

/** Writes a non-negative integer in decimal and returns the offset behind it. */
export function writeDecimal(target: Bytes, value: number, offset: number): number {
  let digits = 1;
  for (let limit = 10; value >= limit; limit *= 10) digits++;
  const end = offset + digits;
  for (let at = end - 1; at >= offset; at--) {
    const rest = Math.floor(value / 10);
    target[at] = 0x30 + (value - rest * 10);
    value = rest;
  }
  return end;
}

/** Reads `bytes[start, end)` as a non-negative decimal integer; -1 when it is anything else or above 2^53. */
export function parseDecimal(bytes: Bytes, start: number, end: number): number {
  if (start >= end) return -1;
  let value = 0;
  for (let at = start; at < end; at++) {
    const digit = (bytes[at] as number) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
    if (value > Number.MAX_SAFE_INTEGER) return -1;
  }
  return value;
}
