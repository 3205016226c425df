/** Answers put together by hand: a message as a test needs it, well formed or not. */
import { type Bytes, concatBytes } from "../../base/bytes.ts";
import { encodeName } from "./name.ts";

export function u16(value: number): Bytes {
  return Uint8Array.of(value >> 8, value & 0xff);
}

export function u32(value: number): Bytes {
  return concatBytes([u16(value >>> 16), u16(value & 0xffff)]);
}

/** `www.example.com` in labels; "" is a pointer to the name of the question. */
export function name(text: string): Bytes {
  return text === "" ? Uint8Array.of(0xc0, 12) : (encodeName(text) as Bytes);
}

export interface RecordParts {
  readonly owner?: string;
  readonly type: number;
  readonly ttlS?: number;
  readonly data: Bytes;
  readonly recordClass?: number;
  readonly length?: number;
}

export function record({
  owner = "",
  type,
  ttlS = 60,
  data,
  recordClass = 1,
  length = data.length,
}: RecordParts): Bytes {
  return concatBytes([name(owner), u16(type), u16(recordClass), u32(ttlS), u16(length), data]);
}

/** Data of a SRV record. */
export function srv(priority: number, weight: number, port: number, target: string): Bytes {
  return concatBytes([u16(priority), u16(weight), u16(port), name(target)]);
}

/** An answer to `question`, with `code` or other flags. */
export function answer(id: number, question: string, type: number, records: readonly Bytes[], flags = 0): Bytes {
  const header = [u16(id), u16(0x8180 | flags), u16(1), u16(records.length), u16(0), u16(0)];
  return concatBytes([...header, name(question), u16(type), u16(1), ...records]);
}

/** Flag of a truncated answer. */
export const TRUNCATED = 0x0200;
