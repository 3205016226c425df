/**
 * Compression of bodies, piece by piece and synchronously: what goes in comes out in the same call, so that a slow client can
 * hold it back without a promise. Counterpart in C: the z_stream of zlib.
 */
import type { Bytes } from "../base/bytes.ts";

/** What a call shall bring out, by zlib's numbers: what it likes, all that it was given, the end of the stream. */
export const NO_FLUSH = 0;
export const SYNC_FLUSH = 2;
export const FINISH = 4;
export type Flush = number;

export interface DeflateSettings {
  /** 1 fast … 9 small. */
  readonly level: number;
  /** 9 … 15: a window of two to the power of that. */
  readonly windowBits: number;
  /** 1 … 9 */
  readonly memoryLevel: number;
}

export interface BrotliSettings {
  /** 0 fast … 11 small. */
  readonly quality: number;
  /** 10 … 24: a window of two to the power of that. */
  readonly windowBits: number;
}

/** One stream that is being written: gzip (RFC 1952), brotli (RFC 7932) or zstd (RFC 8878). */
export interface Encoder {
  /**
   * Compresses `bytes[start, end)` as far as there is room in `output`. Returns how many bytes are there now, or a negative
   * number of the library's when it has failed.
   */
  run(bytes: Bytes, start: number, end: number, flush: Flush): number;
  /** Lent: the next call of any stream overwrites it. */
  readonly output: Bytes;
  /** How much of the bytes the last call took. */
  readonly taken: number;
  /** The output is full: call again with the rest and the same flush. */
  readonly isFull: boolean;
  /** Gives its memory back, whether or not the stream has come to its end. */
  release(): void;
}

/** Gzip streams behind one another that are being read: what `gunzip` undoes. */
export interface Inflater {
  /** Unpacks `bytes[start, end)` as far as there is room in `output`. As `Encoder.run`; malformed bytes are -3. */
  run(bytes: Bytes, start: number, end: number): number;
  /** Lent: the next call of any stream overwrites it. */
  readonly output: Bytes;
  readonly taken: number;
  /** The output is full: there may be more, even for bytes that have been taken. */
  readonly isFull: boolean;
  /** The last byte taken was that of a stream's end. */
  readonly isOver: boolean;
  release(): void;
}

/** What zlib does. */
export interface Gzip {
  /** Begins a stream; undefined when there is no memory. */
  deflater(settings: DeflateSettings): Encoder | undefined;
  /** The same for reading; always undefined where there is no zlib that can be called. */
  inflater(): Inflater | undefined;
}

/** Codings that this machine may lack the library of. */
export type OptionalCoding = "brotli" | "zstd";

export interface Compression extends Gzip {
  /** Undefined when there is no memory, or no such encoder on this machine. */
  brotli(settings: BrotliSettings): Encoder | undefined;
  /** `level`: negative fast … 22 small, without 0. */
  zstd(level: number): Encoder | undefined;
}
