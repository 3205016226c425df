/** The question of DNS_CHECK, and whether an answer to it is good. keepalived: check_dns.c. */
import { type Bytes, concatBytes, fromLatin1 } from "../base/bytes.ts";
import type { Outcome } from "./checker.ts";

const HEADER_BYTES = 12;
const CLASS_IN = 1;

function u16(value: number): Bytes {
  return Uint8Array.of(value >> 8, value & 0xff);
}

/** A query with "recursion desired"; an empty name, or a point, is the root. */
export function encodeQuestion(id: number, name: string, type: number): Bytes {
  const labels = name.split(".").filter((label) => label !== "");
  return concatBytes([
    u16(id),
    Uint8Array.of(1, 0, 0, 1, 0, 0, 0, 0, 0, 0),
    ...labels.flatMap((label) => [Uint8Array.of(label.length), fromLatin1(label)]),
    Uint8Array.of(0),
    u16(type),
    u16(CLASS_IN),
  ]);
}

/** What a datagram says; undefined when it is no answer to the question. */
export function judgeAnswer(bytes: Bytes, id: number): Outcome | undefined {
  if (bytes.length < HEADER_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  if (view.getUint16(0) !== id) return undefined;
  const flags = view.getUint16(2);
  if ((flags & 0x8000) === 0) return undefined;
  const code = flags & 15;
  return code === 0 ? { ok: true } : { ok: false, why: `read error occurred. (rcode = ${code})` };
}
