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

/** The same with bytes of its own. */
export function copyChunk(chunk: Chunk): Chunk {
  // Not `slice`: that of a Buffer is a view.
  return chunk.bytes === undefined ? chunk : bytesChunk(new Uint8Array(chunk.bytes.subarray(chunk.start, chunk.end)));
}

/** What a piece of a body means beyond its bytes. A later one includes the earlier. */
export const MORE = 0;
/** The client shall have everything up to here at once: `proxy_buffering off`. nginx: `flush` of ngx_buf_t. */
export const FLUSH = 1;
/** The body ends here. nginx: `last_buf`. */
export const LAST = 2;
export type Mark = number;

/**
 * Changes a body as it passes; one object per answer. What it is given is lent: it copies what it keeps, and the chunks it
 * returns are used before it is called again. nginx: ngx_http_output_body_filter_pt.
 */
export interface BodyFilter {
  /** Position among the filters, see below. */
  readonly order: number;
  /** Wants bytes in memory, chunks of at most `PIECE_BYTES`, and nothing while the client is slow; one that doesn't care may see parts of files. */
  readonly takesPieces: boolean;
  /** What goes on to the next filter. */
  filter(request: Request, chunks: readonly Chunk[], mark: Mark): readonly Chunk[];
  /**
   * It has more to give for what it was given: it is called again, without chunks and with the same mark, when there is room.
   * A filter that may ever say so has the property from the beginning.
   */
  readonly hasMore?: boolean;
  /** It has more to give, but waits for a subrequest: until then it is not asked, and nothing comes to it. */
  readonly waits?: boolean;
  /** It sees the body ahead of the request's turn to send, so that the subrequests that it begins run at the same time. */
  readonly runsAhead?: boolean;
  /** The answer is over, or was given up. */
  release?(): void;
}

export const PIECE_BYTES = 32 * 1024;

// nginx's order. Filters before ORDER_COPY see what a handler sends as it is; those behind ORDER_POSTPONE belong to the main
// request and see what its subrequests send too, in the order of the answer.
export const ORDER_RANGE = 10;
export const ORDER_COPY = 20;
export const ORDER_SLICE = 25;
export const ORDER_TRAILERS = 30;
export const ORDER_GUNZIP = 40;
export const ORDER_ADDITION = 45;
export const ORDER_SUB = 50;
export const ORDER_CHARSET = 55;
export const ORDER_SSI = 57;
export const ORDER_MEMORY = 59;
export const ORDER_POSTPONE = 60;
export const ORDER_GZIP = 70;
export const ORDER_CHUNKED = 90;

/** Takes the pieces of a request's body. */
export interface BodyReader {
  /** The body is passed on as it comes: how long it is isn't known before its end. nginx: `reading_body`. */
  readonly unbuffered?: boolean;
  /** 0, or the status to answer instead of reading on. The bytes are lent. */
  onBody(bytes: Bytes, start: number, end: number): number;
  /** What one read has brought has been given: what was lent goes back. Not called when `onBodyEnd` follows at once. */
  onBodyPart?(): void;
  /** The body is whole, or the status to answer instead. */
  onBodyEnd(status: number): void;
}
