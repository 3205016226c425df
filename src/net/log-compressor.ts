/**
 * Access logs that are written compressed: each buffer becomes one member of a gzip file (RFC 1952), offered in one write so that
 * those of several workers stay whole. nginx: ngx_http_log_gzip.
 */
import { type Bytes, writeBytes } from "../base/bytes.ts";
import { type Compression, FINISH } from "../io/compression.ts";
import type { Memory, MemorySource } from "../io/memory.ts";

const MAX_WINDOW_BITS = 15;
const MEMORY_LEVEL = 8;
/** zlib's own: a window is of use up to this much less than its half. */
const MIN_LOOKAHEAD = 262;

export class LogCompressor {
  private readonly compression: Compression;
  private readonly level: number;
  /** Where results lie. */
  readonly memory: Memory;

  /** `level`: 1 fast … 9 small. `largestBytes`: of what is given to `run`. */
  constructor(compression: Compression, source: MemorySource, level: number, largestBytes: number) {
    this.compression = compression;
    this.memory = source.allocate(boundOf(largestBytes));
    this.level = level;
  }

  /** Compresses `bytes[0, size)` into `memory`. Returns the size of the result, or a negative number of zlib's. */
  run(bytes: Bytes, size: number): number {
    let windowBits = MAX_WINDOW_BITS;
    while (size < (1 << (windowBits - 1)) - MIN_LOOKAHEAD) windowBits--;
    const memoryLevel = MEMORY_LEVEL - (MAX_WINDOW_BITS - windowBits);
    const deflater = this.compression.deflater({ level: this.level, windowBits, memoryLevel });
    if (deflater === undefined) return NO_MEMORY;
    let at = 0;
    let length = 0;
    do {
      const made = deflater.run(bytes, at, size, FINISH);
      if (made < 0) {
        deflater.release();
        return made;
      }
      at += deflater.taken;
      const { output } = deflater;
      writeBytes(this.memory.bytes, made === output.length ? output : output.subarray(0, made), length);
      length += made;
    } while (deflater.isFull);
    deflater.release();
    return length;
  }
}

const NO_MEMORY = -4;

/** What compression can make of so many bytes at most: zlib's `deflateBound` and the wrapper of gzip. */
function boundOf(size: number): number {
  return size + ((size + 7) >> 3) + ((size + 63) >> 6) + 5 + 18;
}
