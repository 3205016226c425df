/** MD5 (RFC 1321). Not for secrets: it names peers in sticky cookies, as nginx's cookies do. */
import type { Bytes } from "./bytes.ts";

const SHIFTS = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21];
const SINES = Int32Array.from({ length: 64 }, (_, i) => Math.floor(Math.abs(Math.sin(i + 1)) * 2 ** 32) | 0);
const BLOCK = 64;

/** The digest of bytes that come in pieces. */
export class Md5 {
  readonly #state = Int32Array.of(0x67452301, 0xefcdab89 | 0, 0x98badcfe | 0, 0x10325476);
  readonly #block = new Uint8Array(BLOCK);
  readonly #view = new DataView(this.#block.buffer);
  #lengthBytes = 0;

  add(bytes: Bytes): void {
    for (let at = 0; at < bytes.length; ) {
      const filled = this.#lengthBytes % BLOCK;
      const size = Math.min(BLOCK - filled, bytes.length - at);
      this.#block.set(bytes.subarray(at, at + size), filled);
      at += size;
      this.#lengthBytes += size;
      if (this.#lengthBytes % BLOCK === 0) addBlock(this.#state, this.#view, 0);
    }
  }

  /** The 16 bytes of the digest; nothing may be added any more. A bit 1, zeros, and the length in bits (RFC 1321, 3.1 and 3.2). */
  end(): Bytes {
    const length = this.#lengthBytes;
    const padding = new Uint8Array(((119 - (length % BLOCK)) % BLOCK) + 9);
    padding[0] = 0x80;
    const view = new DataView(padding.buffer);
    view.setUint32(padding.length - 8, (length * 8) >>> 0, true);
    view.setUint32(padding.length - 4, Math.floor(length / 2 ** 29), true);
    this.add(padding);
    const digest = new Uint8Array(16);
    const words = new DataView(digest.buffer);
    for (let i = 0; i < 4; i++) words.setInt32(4 * i, this.#state[i] as number, true);
    return digest;
  }
}

/** The 16 bytes of the digest. */
export function md5(bytes: Bytes): Bytes {
  const hash = new Md5();
  hash.add(bytes);
  return hash.end();
}

/** The digest in lower-case hexadecimal, 32 characters. */
export function md5Hex(bytes: Bytes): string {
  return Array.from(md5(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function addBlock(state: Int32Array, view: DataView, at: number): void {
  let a = state[0] as number;
  let b = state[1] as number;
  let c = state[2] as number;
  let d = state[3] as number;
  for (let i = 0; i < 64; i++) {
    const round = i >> 4;
    let mix: number;
    let word = i;
    if (round === 0) mix = (b & c) | (~b & d);
    else if (round === 1) {
      mix = (b & d) | (c & ~d);
      word = 5 * i + 1;
    } else if (round === 2) {
      mix = b ^ c ^ d;
      word = 3 * i + 5;
    } else {
      mix = c ^ (b | ~d);
      word = 7 * i;
    }
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
