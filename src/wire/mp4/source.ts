/** What is asked of an mp4 file, where it is read, and what comes of it. Counterpart in nginx: ngx_http_mp4_file_t. */
import type { Bytes } from "../../base/bytes.ts";

/** Where a file is read. */
export interface Mp4Source {
  /** How messages call it. */
  readonly name: string;
  readonly sizeBytes: number;
  /** Bytes of the file from an offset on: so many, fewer if it has become shorter, or undefined when that failed (told by the source). */
  read(offset: number, sizeBytes: number): Bytes | undefined;
}

/** The part of a movie that is wanted, and the limits of reading it. */
export interface Mp4Cut {
  readonly startMs: bigint;
  /** 0n: to the end. */
  readonly lengthMs: bigint;
  /** Begin at the key frame ahead of the start, and tell players to skip what comes ahead. */
  readonly startKeyFrame: boolean;
  readonly bufferBytes: number;
  readonly maxBufferBytes: number;
}

/** The whole file as it is; or a head followed by `[start, end)` of the file; or what is wrong with it. */
export type Mp4Answer =
  | { readonly kind: "whole" }
  | { readonly kind: "part"; readonly head: Bytes; readonly start: number; readonly end: number }
  /** Without a reason the source has told it. */
  | { readonly kind: "failed"; readonly reason: string; readonly level: "error" | "crit" };
