/** MD5 (RFC 1321). Not for secrets: it names peers in sticky cookies, as nginx's cookies do. */
import type { Bytes } from "./bytes.ts";

const SHIFTS = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21];
const SINES = Int32Array.from({ length: 64 }, (_, i) => Math.floor(Math.abs(Math.sin(i + 1)) * 2 ** 32) | 0);
const BLOCK = 64;

/** The 16 bytes of the digest. */
export function md5(bytes: Bytes): Bytes {
  const message = pad(bytes);
  const view = new DataView(message.buffer);
  const state = Int32Array.of(0x67452301, 0xefcdab89 | 0, 0x98badcfe | 0, 0x10325476);
  for (let at = 0; at < message.length; at += BLOCK) addBlock(state, view, at);
  const digest = new Uint8Array(16);
  const words = new DataView(digest.buffer);
  for (let i = 0; i < 4; i++) words.setInt32(4 * i, state[i] as number, true);
  return digest;
}

/** The digest in lower-case hexadecimal, 32 characters. */
export function md5Hex(bytes: Bytes): string {
  return Array.from(md5(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The message, a bit 1, zeros, and its length in bits: whole blocks (RFC 1321, 3.1 and 3.2). */
function pad(bytes: Bytes): Uint8Array<ArrayBuffer> {
  const padded = new Uint8Array(Math.ceil((bytes.length + 9) / BLOCK) * BLOCK);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, (bytes.length * 8) >>> 0, true);
  view.setUint32(padded.length - 4, Math.floor(bytes.length / 2 ** 29), true);
  return padded;
}

function addBlock(state: Int32Array, view: DataView, at: number): void {
  let a = state[0] as number;
  let b = state[1] as number;
  let c = state[2] as number;
  let d = state[3] as number;
  for (let i = 0; i < 64; i++) {
    const round = i >> 4;
    const mix =
      round === 0 ? (b & c) | (~b & d) : round === 1 ? (b & d) | (c & ~d) : round === 2 ? b ^ c ^ d : c ^ (b | ~d);
    const word = [i, 5 * i + 1, 3 * i + 5, 7 * i][round] as number;
    const sum = (a + mix + (SINES[i] as number) + view.getInt32(at + 4 * (word & 15), true)) | 0;
    const shift = SHIFTS[4 * round + (i & 3)] as number;
    a = d;
    d = c;
    c = b;
    b = (b + ((sum << shift) | (sum >>> (32 - shift)))) | 0;
  }
  state[0] = (state[0] as number) + a;
  state[1] = (state[1] as number) + b;
  state[2] = (state[2] as number) + c;
  state[3] = (state[3] as number) + d;
}
