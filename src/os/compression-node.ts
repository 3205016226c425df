/**
 * Compression where the program has no zlib that can be called: each piece is deflated by node's synchronous function, with
 * what came before as dictionary, and ends on a byte: such pieces behind one another are one stream (RFC 1951 §2.3).
 */
import { createRequire } from "node:module";
import { type Bytes, concatBytes } from "../base/bytes.ts";
import { type DeflateSettings, type Encoder, FINISH, type Flush, type Gzip, NO_FLUSH } from "../io/compression.ts";

/** Smaller pieces are collected: each costs a state of 270 KB. */
const PIECE_BYTES = 32 * 1024;
/** No name, no time, unknown system: RFC 1952 §2.3. */
const HEADER = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255);
const NOTHING: Bytes = new Uint8Array(0);

/** Loaded when it is needed: most programs carry a zlib that can be called, and node's brings all of its streams along. */
const zlib = (): typeof import("node:zlib") => createRequire(import.meta.url)("node:zlib");

export class NodeCompression implements Gzip {
  deflater(settings: DeflateSettings): Encoder {
    return new NodeDeflater(settings);
  }

  inflater(): undefined {
    return undefined;
  }
}

class NodeDeflater implements Encoder {
  output = NOTHING;
  taken = 0;
  readonly isFull = false;
  private readonly settings: DeflateSettings;
  private dictionary = NOTHING;
  private waiting: Bytes = NOTHING;
  private crc = 0;
  private length = 0;
  private begun = false;

  constructor(settings: DeflateSettings) {
    this.settings = settings;
  }

  run(bytes: Bytes, start: number, end: number, flush: Flush): number {
    this.taken = end - start;
    const parts: Bytes[] = [];
    if (!this.begun) parts.push(HEADER);
    this.begun = true;
    if (start < end) this.waiting = concatBytes([this.waiting, bytes.subarray(start, end)]);
    if (flush !== NO_FLUSH || this.waiting.length >= PIECE_BYTES) parts.push(this.deflate(flush));
    if (flush === FINISH) parts.push(this.trailer());
    this.output = concatBytes(parts);
    return this.output.length;
  }

  private deflate(flush: Flush): Bytes {
    const { waiting, dictionary } = this;
    const { level, windowBits, memoryLevel: memLevel } = this.settings;
    this.waiting = NOTHING;
    this.crc = crc32(waiting, this.crc);
    this.length += waiting.length;
    const window = 1 << windowBits;
    this.dictionary = concatBytes([dictionary, waiting]).slice(-window);
    const { constants, deflateRawSync } = zlib();
    return deflateRawSync(waiting, {
      level,
      windowBits,
      memLevel,
      finishFlush: flush === FINISH ? constants.Z_FINISH : constants.Z_SYNC_FLUSH,
      ...(dictionary.length > 0 ? { dictionary } : {}),
    });
  }

  private trailer(): Bytes {
    const trailer = new DataView(new ArrayBuffer(8));
    trailer.setUint32(0, this.crc, true);
    trailer.setUint32(4, this.length % 2 ** 32, true);
    return new Uint8Array(trailer.buffer);
  }

  release(): void {
    this.waiting = NOTHING;
    this.dictionary = NOTHING;
  }
}

const CRC_TABLE: Uint32Array = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = (value & 1) === 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value >>> 0;
});

/** RFC 1952 §8; node has it from 20.15 on only. */
function crc32(bytes: Bytes, before: number): number {
  let crc = ~before;
  for (let i = 0; i < bytes.length; i++) {
    crc = (crc >>> 8) ^ (CRC_TABLE[(crc ^ (bytes[i] as number)) & 0xff] as number);
  }
  return ~crc >>> 0;
}
