/** Request methods by number, as nginx tells them apart. RFC 9110 §9, RFC 4918. */
import type { Bytes } from "../../base/bytes.ts";

/** Methods that have a number; all others are `OTHER_METHOD`. */
export const OTHER_METHOD = 0;
export const GET = 1;
export const HEAD = 2;
export const POST = 3;
export const PUT = 4;
export const DELETE = 5;
export const MKCOL = 6;
export const COPY = 7;
export const MOVE = 8;
export const OPTIONS = 9;
export const PROPFIND = 10;
export const PROPPATCH = 11;
export const LOCK = 12;
export const UNLOCK = 13;
export const PATCH = 14;
export const TRACE = 15;
export const CONNECT = 16;

/** Names of the numbered methods; the index is the number, the first is a place holder. */
export const METHOD_NAMES = [
  "",
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "DELETE",
  "MKCOL",
  "COPY",
  "MOVE",
  "OPTIONS",
  "PROPFIND",
  "PROPPATCH",
  "LOCK",
  "UNLOCK",
  "PATCH",
  "TRACE",
  "CONNECT",
] as const;

const METHOD_BYTES = METHOD_NAMES.map((name) => Uint8Array.from(name, (character) => character.charCodeAt(0)));

/** The number of the method that is `bytes[start, end)`. */
export function methodNumber(bytes: Bytes, start: number, end: number): number {
  const length = end - start;
  next: for (let method = 1; method < METHOD_BYTES.length; method++) {
    const name = METHOD_BYTES[method] as Uint8Array;
    if (name.length !== length) continue;
    for (let i = 0; i < length; i++) if (bytes[start + i] !== name[i]) continue next;
    return method;
  }
  return OTHER_METHOD;
}
