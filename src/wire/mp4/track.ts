/** What is known of one track of a movie: where its atoms lie in the movie's bytes, and what has been cropped. */
import type { Bytes } from "../../base/bytes.ts";

/** `[start, end)` of the movie's bytes: an atom with its head. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** An atom that holds entries of one size. */
export interface Table {
  /** Where its head begins. */
  readonly start: number;
  /** How many bytes stand in front of its entries. */
  readonly headBytes: number;
  readonly entryBytes: number;
  /** The entries that are left, by offset. */
  first: number;
  end: number;
}

export function entriesOf({ first, end, entryBytes }: Table): number {
  return (end - first) / entryBytes;
}

/** Times of samples: pairs of count and duration. */
export const STTS = 0;
/** Numbers of key frames, from 1 on. */
export const STSS = 1;
/** Composition offsets: pairs of count and offset. */
export const CTTS = 2;
/** Samples of chunks: first chunk (from 1 on), samples in each, description. */
export const STSC = 3;
/** Sizes of samples. */
export const STSZ = 4;
/** Where chunks begin in the file: 32 or 64 bits. */
export const STCO = 5;
export const CO64 = 6;
export const TABLES = 7;

/** A line of the table of chunks that the file does not have. */
export interface ChunkLine {
  readonly chunk: number;
  samples: number;
  readonly description: number;
}

export class Track {
  tkhd: Range | undefined = undefined;
  hasMdia = false;
  mdhd: Range | undefined = undefined;
  hdlr: Range | undefined = undefined;
  hasMinf = false;
  vmhd: Range | undefined = undefined;
  smhd: Range | undefined = undefined;
  dinf: Range | undefined = undefined;
  hasStbl = false;
  stsd: Range | undefined = undefined;
  readonly tables: (Table | undefined)[] = new Array<Table | undefined>(TABLES).fill(undefined);

  /** Units a second of its own times. */
  timescale = 0;
  /** In those units. */
  duration = 0n;
  /** In the movie's units. */
  movieDuration = 0n;
  /** Chunks that the file has. */
  chunks = 0;
  /** All samples have the same size: there is no table of them. */
  isUniform = false;

  // What a cut makes of it. Samples and chunks count from 0.
  startSample = 0;
  endSample = 0;
  startChunk = 0;
  endChunk = 0;
  /** Samples of the first chunk that stay out, of the last one that go in. */
  startChunkSamples = 0;
  endChunkSamples = 0;
  startChunkBytes = 0;
  endChunkBytes = 0;
  /** The rest of the first chunk, the beginning of the last one. */
  startLine: ChunkLine | undefined = undefined;
  endLine: ChunkLine | undefined = undefined;
  /** How long, in its units, what comes ahead of the start lasts: from the key frame on. */
  prefix = 0;
  /** Where its samples lie in the file. */
  startOffset = 0;
  endOffset = 0;

  get hasChunkOffsets(): boolean {
    return this.tables[STCO] !== undefined || this.tables[CO64] !== undefined;
  }
}

/** A movie's bytes and where in them everything is. */
export interface Movie {
  readonly bytes: Bytes;
  readonly mvhd: Range | undefined;
  readonly tracks: readonly Track[];
}
