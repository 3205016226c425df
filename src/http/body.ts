/** Pieces of an answer's body, and what may change them on their way. Counterpart in nginx: ngx_chain_t and body filters. */
import { type Bytes, fromLatin1 } from "../base/bytes.ts";
import type { Request } from "./request.ts";

/** `bytes[start, end)`, or the same range of an open file when `fd` is not -1. */
export interface Chunk {
  readonly bytes: Bytes | undefined;
  readonly fd: number;
  readonly start: number;
  readonly end: number;
}

export function bytesChunk(bytes: Bytes, start = 0, end = bytes.length): Chunk {
  return { bytes, fd: -1, start, end };
}

export function textChunk(text: string): Chunk {
  return bytesChunk(fromLatin1(text));
}

export function fileChunk(fd: number, start: number, end: number): Chunk {
  return { bytes: undefined, fd, start, end };
}

/** A part of a chunk: from `start` to `end` bytes behind its beginning. */
export function subChunk(chunk: Chunk, start: number, end: number): Chunk {
  return { bytes: chunk.bytes, fd: chunk.fd, start: chunk.start + start, end: chunk.start + end };
}

/** Changes a body as it passes. State belongs to the filter object, one per answer. */
export interface BodyFilter {
  /** Position in the order of filters: ranges are cut before the transfer coding is put on. */
  readonly order: number;
  filter(request: Request, chunks: readonly Chunk[], last: boolean): readonly Chunk[];
}

export const ORDER_RANGE = 10;
export const ORDER_TRAILERS = 20;
export const ORDER_CHUNKED = 90;

/** Takes the pieces of a request's body. */
export interface BodyReader {
  /** 0, or the status to answer instead of reading on. The bytes are lent. */
  onBody(bytes: Bytes, start: number, end: number): number;
  /** The body is whole, or the status to answer instead. */
  onBodyEnd(status: number): void;
}
