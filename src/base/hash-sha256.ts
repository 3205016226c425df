/** SHA-256 (FIPS 180-4), for messages of a few hundred bytes: adverts are signed with it where no Node is to be seen. */
import type { Bytes } from "./bytes.ts";

export const SHA256_BYTES = 32;
const BLOCK = 64;

/** The first 32 bits of the fraction of a root: where FIPS 180-4 takes its constants from (4.2.2, 5.3.3). */
function fraction(root: number): number {
  return Math.floor((root - Math.floor(root)) * 2 ** 32) | 0;
}

const PRIMES = Array.from({ length: 312 }, (_, i) => i).filter((n) => {
  if (n < 2) return false;
  for (let divisor = 2; divisor * divisor <= n; divisor++) if (n % divisor === 0) return false;
  return true;
});
const START = Int32Array.from(PRIMES.slice(0, 8), (prime) => fraction(Math.sqrt(prime)));
const ROUNDS = Int32Array.from(PRIMES.slice(0, BLOCK), (prime) => fraction(Math.cbrt(prime)));

/** The 32 bytes of the digest. */
export function sha256(bytes: Bytes): Bytes {
  const message = pad(bytes);
  const view = new DataView(message.buffer);
  const state = START.slice();
  const schedule = new Int32Array(BLOCK);
  for (let at = 0; at < message.length; at += BLOCK) addBlock(state, schedule, view, at);
  const digest = new Uint8Array(SHA256_BYTES);
  const words = new DataView(digest.buffer);
  for (let i = 0; i < 8; i++) words.setInt32(4 * i, state[i] as number);
  return digest;
}

/** The message, a bit 1, zeros, and its length in bits: whole blocks (5.1.1). */
function pad(bytes: Bytes): Uint8Array<ArrayBuffer> {
  const padded = new Uint8Array(Math.ceil((bytes.length + 9) / BLOCK) * BLOCK);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, Math.floor(bytes.length / 2 ** 29));
  view.setUint32(padded.length - 4, (bytes.length * 8) >>> 0);
  return padded;
}

function turn(word: number, bits: number): number {
  return (word >>> bits) | (word << (32 - bits));
}

function addBlock(state: Int32Array, schedule: Int32Array, view: DataView, at: number): void {
  for (let i = 0; i < 16; i++) schedule[i] = view.getInt32(at + 4 * i);
  for (let i = 16; i < BLOCK; i++) {
    const early = schedule[i - 15] as number;
    const late = schedule[i - 2] as number;
    const mixEarly = turn(early, 7) ^ turn(early, 18) ^ (early >>> 3);
    const mixLate = turn(late, 17) ^ turn(late, 19) ^ (late >>> 10);
    schedule[i] = ((schedule[i - 16] as number) + mixEarly + (schedule[i - 7] as number) + mixLate) | 0;
  }
  let [a, b, c, d, e, f, g, h] = state as unknown as [number, number, number, number, number, number, number, number];
  for (let i = 0; i < BLOCK; i++) {
    const choice = (e & f) ^ (~e & g);
    const mixE = turn(e, 6) ^ turn(e, 11) ^ turn(e, 25);
    const first = (h + mixE + choice + (ROUNDS[i] as number) + (schedule[i] as number)) | 0;
    const majority = (a & b) ^ (a & c) ^ (b & c);
    const second = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + majority) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + first) | 0, c, b, a, (first + second) | 0];
  }
  for (const [i, word] of [a, b, c, d, e, f, g, h].entries()) state[i] = (state[i] as number) + word;
}
