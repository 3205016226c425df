/**
 * HPACK's Huffman code, RFC 7541 §5.2 and Appendix B. The code is canonical: symbols in the order of their lengths, then of their
 * values, get one number after another, so that the lengths are the whole table. Decoding goes by half bytes through a table of states
 * (a state is an inner node of the code's tree).
 */
import type { Bytes } from "../../base/bytes.ts";

const SYMBOLS = 257;
const END_OF_STRING = 256;
/** Padding is the beginning of the end-of-string symbol, shorter than a byte. */
const MAX_PADDING_BITS = 7;

/** Printable symbols as text, the others as numbers or ranges of them, by length of their code in bits. */
const LENGTHS: readonly (readonly [
  bits: number,
  text: string,
  others: readonly (number | readonly [number, number])[],
])[] = [
  [5, "012aceiost", []],
  [6, " %-./3456789=A_bdfghlmnpru", []],
  [7, ":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz", []],
  [8, "&*,;XZ", []],
  [10, '!"()?', []],
  [11, "'+|", []],
  [12, "#>", []],
  [13, "$@[]~", [0]],
  [14, "^}", []],
  [15, "<`{", []],
  [19, "\\", [195, 208]],
  [20, "", [128, 130, 131, 162, 184, 194, 224, 226]],
  [21, "", [153, 161, 167, 172, 176, 177, 179, 209, 216, 217, 227, 229, 230]],
  [
    22,
    "",
    [
      129,
      [132, 134],
      136,
      146,
      154,
      156,
      160,
      163,
      164,
      169,
      170,
      173,
      178,
      181,
      [185, 187],
      189,
      190,
      196,
      198,
      228,
      232,
      233,
    ],
  ],
  [
    23,
    "",
    [
      1,
      135,
      [137, 141],
      143,
      147,
      [149, 152],
      155,
      157,
      158,
      165,
      166,
      168,
      174,
      175,
      180,
      182,
      183,
      188,
      191,
      197,
      231,
      239,
    ],
  ],
  [24, "", [9, 142, 144, 145, 148, 159, 171, 206, 215, 225, 236, 237]],
  [25, "", [199, 207, 234, 235]],
  [26, "", [192, 193, [200, 202], 205, 210, 213, 218, 219, 238, 240, 242, 243, 255]],
  [27, "", [203, 204, 211, 212, 214, 221, 222, 223, 241, [244, 248], [250, 254]]],
  [28, "", [[2, 8], 11, 12, [14, 21], [23, 31], 127, 220, 249]],
  [30, "", [10, 13, 22, END_OF_STRING]],
];

/** The code as tables. A step is where half a byte leads, and what it tells on the way. */
interface Tables {
  /** By symbol: its length and its code. */
  readonly bits: Uint8Array;
  readonly codes: Uint32Array;
  /** By state × 16 + half byte: the next state, or REFUSED. */
  readonly next: Uint16Array;
  /** The symbol that ends there (no code is shorter than five bits), or NO_SYMBOL. */
  readonly symbol: Uint16Array;
  /** By state: the string may end here. */
  readonly mayEnd: Uint8Array;
}
const REFUSED = 0xffff;
const NO_SYMBOL = 0xffff;

let known: Tables | undefined;

/** Built when somebody needs them: most programs that have this module never speak HTTP/2. */
function tables(): Tables {
  known ??= buildTables(symbolBits());
  return known;
}

function symbolBits(): Uint8Array {
  const all = new Uint8Array(SYMBOLS);
  for (const [bits, text, others] of LENGTHS) {
    for (const character of text) all[character.charCodeAt(0)] = bits;
    for (const one of others) {
      const [from, to] = typeof one === "number" ? [one, one] : one;
      all.fill(bits, from, to + 1);
    }
  }
  return all;
}

/** The tree: a node is a pair of children, an inner node's number or ~symbol. */
function buildTables(bits: Uint8Array): Tables {
  const codes = new Uint32Array(SYMBOLS);
  const bitsOf = (symbol: number): number => bits[symbol] as number;
  const order = Array.from(bits.keys()).sort((a, b) => bitsOf(a) - bitsOf(b) || a - b);
  const zero: number[] = [0];
  const one: number[] = [0];
  let code = 0;
  let before = 0;
  for (const symbol of order) {
    const length = bitsOf(symbol);
    code *= 2 ** (length - before);
    before = length;
    codes[symbol] = code;
    let node = 0;
    for (let bit = length - 1; bit > 0; bit--) {
      const side = isSet(code, bit) ? one : zero;
      if (side[node] === 0) {
        side[node] = zero.length;
        zero.push(0);
        one.push(0);
      }
      node = side[node] as number;
    }
    (isSet(code, 0) ? one : zero)[node] = ~symbol;
    code++;
  }
  return { bits, codes, ...stepsOf(zero, one) };
}

function stepsOf(zero: readonly number[], one: readonly number[]): Omit<Tables, "bits" | "codes"> {
  const next = new Uint16Array(zero.length * 16).fill(REFUSED);
  const symbols = new Uint16Array(zero.length * 16).fill(NO_SYMBOL);
  for (let state = 0; state < zero.length; state++) {
    for (let half = 0; half < 16; half++) {
      let node = state;
      let symbol = NO_SYMBOL;
      for (let bit = 3; bit >= 0; bit--) {
        const child = (isSet(half, bit) ? one : zero)[node] as number;
        if (child < 0) symbol = ~child;
        node = Math.max(0, child);
      }
      if (symbol === END_OF_STRING) continue;
      next[state * 16 + half] = node;
      symbols[state * 16 + half] = symbol;
    }
  }
  const mayEnd = new Uint8Array(zero.length);
  for (let node = 0, bits = 0; bits <= MAX_PADDING_BITS; bits++) {
    mayEnd[node] = 1;
    node = one[node] as number;
  }
  return { next, symbol: symbols, mayEnd };
}

function isSet(code: number, bit: number): boolean {
  return ((code >>> bit) & 1) === 1;
}

/** What `decodeHuffman` returns instead of an offset. */
export const HUFFMAN_MALFORMED = -1;
export const HUFFMAN_NO_ROOM = -2;

/** Decodes `bytes[start, end)` to `target[at, limit)`; returns the offset behind the text, HUFFMAN_MALFORMED or HUFFMAN_NO_ROOM. */
export function decodeHuffman(
  bytes: Bytes,
  start: number,
  end: number,
  target: Bytes,
  at: number,
  limit: number,
): number {
  const { next, symbol, mayEnd } = tables();
  let state = 0;
  for (let i = start; i < end; i++) {
    const byte = bytes[i] as number;
    for (let half = byte >> 4, turn = 0; turn < 2; half = byte & 15, turn++) {
      const step = state * 16 + half;
      state = next[step] as number;
      if (state === REFUSED) return HUFFMAN_MALFORMED;
      const told = symbol[step] as number;
      if (told === NO_SYMBOL) continue;
      if (at === limit) return HUFFMAN_NO_ROOM;
      target[at++] = told;
    }
  }
  return mayEnd[state] === 1 ? at : HUFFMAN_MALFORMED;
}

/** Bytes that a text (one byte a character) takes when it is encoded. */
export function huffmanBytes(text: string): number {
  const { bits } = tables();
  let sum = 0;
  for (let i = 0; i < text.length; i++) sum += bits[text.charCodeAt(i) & 255] as number;
  return Math.ceil(sum / 8);
}

/** Encodes a text, one byte a character, at `at`, where there must be room; returns the offset behind it. */
export function encodeHuffman(target: Bytes, at: number, text: string): number {
  const { bits, codes } = tables();
  // Fewer than eight bits wait here; a code has up to thirty, so both fit into what a number holds exactly.
  let waiting = 0;
  let count = 0;
  for (let i = 0; i < text.length; i++) {
    const character = text.charCodeAt(i) & 255;
    const length = bits[character] as number;
    waiting = waiting * 2 ** length + (codes[character] as number);
    for (count += length; count >= 8; ) {
      count -= 8;
      const unit = 2 ** count;
      target[at++] = Math.floor(waiting / unit);
      waiting %= unit;
    }
  }
  if (count > 0) target[at++] = (waiting + 1) * 2 ** (8 - count) - 1;
  return at;
}
