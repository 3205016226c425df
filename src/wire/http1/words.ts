/**
 * Bytes looked at four at a time. V8 does not make vector instructions of a loop over bytes: each costs it a nanosecond or two, and a
 * word at any offset, read through a DataView, costs the same (`npm run bench`, `proxy`: heads and log lines are where it counts).
 *
 * The arithmetic is the usual one for words of bytes: `(w - ONES * n) & ~w & HIGH_BITS` is not zero exactly when a byte of `w` is
 * below `n`, and a byte is equal to `c` where it is below one in `w ^ (ONES * c)`.
 */
import { type Bytes, copyView, fromLatin1 } from "../../base/bytes.ts";

export const WORD_BYTES = 4;

const HIGH_BITS = 0x80808080 | 0;
const ONES = 0x01010101;
const SPACES = 0x20202020;
const QUOTES = 0x22222222;
const BACKSLASHES = 0x5c5c5c5c;
const DELETES = 0x7f7f7f7f;
const SP = 0x20;

/** A view of the same bytes. */
export function viewOf(bytes: Bytes): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Bytes that are written again and again. */
export interface Block {
  readonly view: DataView;
  readonly length: number;
}

/** A block of a text, one byte a character. */
export function blockOf(text: string): Block {
  return { view: viewOf(fromLatin1(text)), length: text.length };
}

/** Copies a short block to `offset`, where it must fit; returns the offset behind it. */
export function writeBlock(target: DataView, { view, length }: Block, offset: number): number {
  copyView(target, offset, view, 0, length);
  return offset + length;
}

/** The first offset in `[start, end)` whose byte is a control character below SP, or `end`. */
export function findControl(view: DataView, start: number, end: number): number {
  let at = start;
  for (const last = end - WORD_BYTES; at <= last; at += WORD_BYTES) {
    const word = view.getInt32(at, true);
    if (((word - SPACES) & ~word & HIGH_BITS) !== 0) break;
  }
  while (at < end && view.getUint8(at) >= SP) at++;
  return at;
}

/** True when all four bytes are printable ASCII other than `"` and `\`. */
export function isPlainWord(word: number): boolean {
  const quotes = word ^ QUOTES;
  const backslashes = word ^ BACKSLASHES;
  const deletes = word ^ DELETES;
  const odd =
    ((word - SPACES) & ~word) |
    word |
    ((quotes - ONES) & ~quotes) |
    ((backslashes - ONES) & ~backslashes) |
    ((deletes - ONES) & ~deletes);
  return (odd & HIGH_BITS) === 0;
}

/** Upper-case letters of a word in lower case; digits and `-` are as they were, other bytes may change. */
export function foldWord(word: number): number {
  return word | SPACES;
}
