/**
 * The chunked transfer coding, RFC 9112 §7.1: a decoder that takes its input in any pieces, and the size line of an
 * encoder. Counterpart in nginx: ngx_http_parse_chunked. Bare LF is refused; extensions and trailers are skipped.
 */
import type { Bytes } from "../../base/bytes.ts";
import { HEX_VALUE } from "./chars.ts";

export const CHUNK_MORE = 0;
export const CHUNK_DATA = 1;
export const CHUNK_DONE = 2;
export const CHUNK_INVALID = 3;
export type ChunkResult = number;

const SIZE_FIRST = 0;
const SIZE = 1;
const EXTENSION = 2;
const SIZE_LF = 3;
const DATA = 4;
const DATA_CR = 5;
const DATA_LF = 6;
const LAST_EXTENSION = 7;
const LAST_LF = 8;
const TRAILER_START = 9;
const TRAILER_END_LF = 10;
const TRAILER = 11;
const TRAILER_LF = 12;

const CR = 0x0d;
const LF = 0x0a;
const LARGEST_CHUNK = Number.MAX_SAFE_INTEGER;
/** Bytes that extensions and trailers may have in one body; nobody needs more, and they are work without data. */
const OVERHEAD_LIMIT_BYTES = 1 << 20;

/** Decodes one body. Call `next` again and again: it says where data lie, or that more is needed. */
export class ChunkedDecoder {
  /** Offset of the first byte that has not been consumed. */
  position = 0;
  /** With CHUNK_DATA: the data are `[dataStart, position)`. */
  dataStart = 0;
  private state = SIZE_FIRST;
  private left = 0;
  private overhead = 0;
  private stopsAtTrailers = false;

  /** `stopsAtTrailers`: the body is done when its last chunk is, and trailers are the caller's. */
  reset(stopsAtTrailers = false): void {
    this.stopsAtTrailers = stopsAtTrailers;
    this.state = SIZE_FIRST;
    this.left = 0;
    this.overhead = 0;
  }

  /** Consumes from `bytes[start, end)`: one run of data, or up to the end of input or body. */
  next(bytes: Bytes, start: number, end: number): ChunkResult {
    let p = start;
    while (p < end) {
      if (this.state === DATA) {
        const size = Math.min(this.left, end - p);
        this.dataStart = p;
        this.position = p + size;
        this.left -= size;
        if (this.left === 0) this.state = DATA_CR;
        return CHUNK_DATA;
      }
      const result = this.step(bytes[p++] as number);
      if (result === CHUNK_MORE) continue;
      this.position = p;
      return result;
    }
    this.position = p;
    return CHUNK_MORE;
  }

  /** Bytes of the chunk that is being read which have not come yet. */
  get chunkLeft(): number {
    return this.left;
  }

  /** How many bytes are certain to follow in a chunk that has data, with the end of the body. nginx: `length` of ngx_http_chunked_t. */
  get expected(): number {
    return this.left + (this.state === DATA ? 7 : this.state === SIZE_LF ? 8 : 9);
  }

  private step(code: number): ChunkResult {
    switch (this.state) {
      case SIZE_FIRST:
      case SIZE: {
        const digit = HEX_VALUE[code] as number;
        if (digit !== 255) {
          this.left = this.left * 16 + digit;
          this.state = SIZE;
          return this.left > LARGEST_CHUNK ? CHUNK_INVALID : CHUNK_MORE;
        }
        if (this.state === SIZE_FIRST) return CHUNK_INVALID;
        const last = this.left === 0;
        if (code === CR) this.state = last ? LAST_LF : SIZE_LF;
        else if (code === 0x3b || code === 0x20 || code === 0x09) this.state = last ? LAST_EXTENSION : EXTENSION;
        else return CHUNK_INVALID;
        return CHUNK_MORE;
      }
      case EXTENSION:
        return this.skip(code, SIZE_LF);
      case LAST_EXTENSION:
        return this.skip(code, LAST_LF);
      case TRAILER:
        return this.skip(code, TRAILER_LF);
      case SIZE_LF:
        return this.expect(code, LF, DATA);
      case DATA_CR:
        return this.expect(code, CR, DATA_LF);
      case DATA_LF:
        return this.expect(code, LF, SIZE_FIRST);
      case LAST_LF:
        if (this.stopsAtTrailers && code === LF) return CHUNK_DONE;
        return this.expect(code, LF, TRAILER_START);
      case TRAILER_LF:
        return this.expect(code, LF, TRAILER_START);
      case TRAILER_START:
        if (code === LF) return CHUNK_INVALID;
        this.state = code === CR ? TRAILER_END_LF : TRAILER;
        return CHUNK_MORE;
      default:
        return code === LF ? CHUNK_DONE : CHUNK_INVALID;
    }
  }

  private skip(code: number, after: number): ChunkResult {
    if (code === LF || ++this.overhead > OVERHEAD_LIMIT_BYTES) return CHUNK_INVALID;
    if (code === CR) this.state = after;
    return CHUNK_MORE;
  }

  private expect(code: number, wanted: number, after: number): ChunkResult {
    if (code !== wanted) return CHUNK_INVALID;
    this.state = after;
    return CHUNK_MORE;
  }
}
