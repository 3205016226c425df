/** zlib(3), the copy that the node binary carries, or that it is linked with. */
import { hasNative, native } from "./native.ts";

/** Official builds have zlib's own names; a build of Chromium's zlib may prefix them. */
const PREFIXES = ["", "Cr_z_"];

/** `sizeof(z_stream)` where pointers and `uLong` have 64 bits. */
export const Z_STREAM_BYTES = 112;
// Offsets of its fields in units of 32 bits.
export const NEXT_IN = 0;
export const AVAIL_IN = 2;
export const NEXT_OUT = 6;
export const AVAIL_OUT = 8;

export const Z_OK = 0;
export const Z_STREAM_END = 1;
export const Z_BUF_ERROR = -5;
export const Z_DEFLATED = 8;
/** Added to the window's bits: gzip instead of zlib's own header. */
export const GZIP_WRAPPER = 16;

export interface Zlib {
  version(): string;
  deflateInit2(
    stream: number,
    level: number,
    method: number,
    windowBits: number,
    memoryLevel: number,
    strategy: number,
    version: string,
    streamBytes: number,
  ): number;
  deflate(stream: number, flush: number): number;
  deflateReset(stream: number): number;
  deflateEnd(stream: number): number;
  inflateInit2(stream: number, windowBits: number, version: string, streamBytes: number): number;
  inflate(stream: number, flush: number): number;
  inflateReset(stream: number): number;
  inflateEnd(stream: number): number;
}

/** The functions; undefined when the program has none. */
export function openZlib(): Zlib | undefined {
  const prefix = PREFIXES.find((one) => hasNative(`${one}deflateInit2_`) && hasNative(`${one}inflateReset`));
  if (prefix === undefined) return undefined;
  return {
    version: native(`const char *${hasNative(`${prefix}zlibVersion`) ? prefix : ""}zlibVersion()`),
    deflateInit2: native(
      `int ${prefix}deflateInit2_(uint64_t stream, int level, int method, int windowBits, int memLevel, int strategy, const char *version, int stream_size)`,
    ),
    deflate: native(`int ${prefix}deflate(uint64_t stream, int flush)`),
    deflateReset: native(`int ${prefix}deflateReset(uint64_t stream)`),
    deflateEnd: native(`int ${prefix}deflateEnd(uint64_t stream)`),
    inflateInit2: native(
      `int ${prefix}inflateInit2_(uint64_t stream, int windowBits, const char *version, int stream_size)`,
    ),
    inflate: native(`int ${prefix}inflate(uint64_t stream, int flush)`),
    inflateReset: native(`int ${prefix}inflateReset(uint64_t stream)`),
    inflateEnd: native(`int ${prefix}inflateEnd(uint64_t stream)`),
  };
}
