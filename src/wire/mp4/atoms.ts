/** Atoms (boxes) of mp4 files, ISO/IEC 14496-12: their heads, their names, and numbers in them, big-endian. */
import type { Bytes } from "../../base/bytes.ts";
import { readU32, writeU32 } from "../checksum.ts";

/** Size and name. */
export const HEAD_BYTES = 8;
/** The same with a size of 64 bits behind them, when the first one is 1. */
export const LARGE_HEAD_BYTES = 16;

/** The number that a name of four characters is. */
export function atomName(text: string): number {
  let name = 0;
  for (let i = 0; i < 4; i++) name = name * 256 + text.charCodeAt(i);
  return name;
}

export function readU64(bytes: Bytes, at: number): bigint {
  return (BigInt(readU32(bytes, at)) << 32n) | BigInt(readU32(bytes, at + 4));
}

/** Writes the lower 64 bits of a number. */
export function writeU64(bytes: Bytes, at: number, value: bigint): void {
  writeU32(bytes, at, Number((value >> 32n) & 0xffffffffn));
  writeU32(bytes, at + 4, Number(value & 0xffffffffn));
}

/** Writes an atom's head and returns the offset behind it. */
export function writeHead(bytes: Bytes, at: number, sizeBytes: number, name: number): number {
  writeU32(bytes, at, sizeBytes);
  writeU32(bytes, at + 4, name);
  return at + HEAD_BYTES;
}
