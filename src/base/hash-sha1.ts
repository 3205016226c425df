/** SHA-1 (RFC 3174). For passwords that were stored with it, and nothing new. */
import type { Bytes } from "./bytes.ts";

const BLOCK = 64;
const WORDS = 80;

/** The 20 bytes of the digest. */
export function sha1(bytes: Bytes): Bytes {
  const message = pad(bytes);
  const view = new DataView(message.buffer);
  const state = Int32Array.of(0x67452301, 0xefcdab89 | 0, 0x98badcfe | 0, 0x10325476, 0xc3d2e1f0 | 0);
  const words = new Int32Array(WORDS);
  for (let at = 0; at < message.length; at += BLOCK) addBlock(state, words, view, at);
  const digest = new Uint8Array(20);
  const digestWords = new DataView(digest.buffer);
  for (let i = 0; i < 5; i++) digestWords.setInt32(4 * i, state[i] as number);
  return digest;
}

/** The message, a bit 1, zeros, and its length in bits: whole blocks (section 4). */
function pad(bytes: Bytes): Uint8Array<ArrayBuffer> {
  const padded = new Uint8Array(Math.ceil((bytes.length + 9) / BLOCK) * BLOCK);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, Math.floor(bytes.length / 2 ** 29));
  view.setUint32(padded.length - 4, (bytes.length * 8) >>> 0);
  return padded;
}

function rotate(value: number, by: number): number {
  return (value << by) | (value >>> (32 - by));
}

function addBlock(state: Int32Array, words: Int32Array, view: DataView, at: number): void {
  for (let i = 0; i < 16; i++) words[i] = view.getInt32(at + 4 * i);
  for (let i = 16; i < WORDS; i++) {
    const mixed =
      (words[i - 3] as number) ^ (words[i - 8] as number) ^ (words[i - 14] as number) ^ (words[i - 16] as number);
    words[i] = rotate(mixed, 1);
  }
  let a = state[0] as number;
  let b = state[1] as number;
  let c = state[2] as number;
  let d = state[3] as number;
  let e = state[4] as number;
  for (let i = 0; i < WORDS; i++) {
    const next = (rotate(a, 5) + mix(i, b, c, d) + e + (words[i] as number)) | 0;
    e = d;
    d = c;
    c = rotate(b, 30);
    b = a;
    a = next;
  }
  state[0] = (state[0] as number) + a;
  state[1] = (state[1] as number) + b;
  state[2] = (state[2] as number) + c;
  state[3] = (state[3] as number) + d;
  state[4] = (state[4] as number) + e;
}

/** The round's function with its constant (section 5). */
function mix(i: number, b: number, c: number, d: number): number {
  if (i < 20) return ((b & c) | (~b & d)) + 0x5a827999;
  if (i < 40) return (b ^ c ^ d) + 0x6ed9eba1;
  if (i < 60) return ((b & c) | (b & d) | (c & d)) + (0x8f1bbcdc | 0);
  return (b ^ c ^ d) + (0xca62c1d6 | 0);
}
