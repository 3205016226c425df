/**
 * The seam between what every upstream has (addresses, tries, timers, buffers, cache, store, variables: upstream*.ts) and what one
 * protocol is. HTTP/1 is read by the exchange itself, whose hot path asks one field; any other protocol brings these. What is sent
 * is in the rules (`prepare`, `write`), as with HTTP/1. docs/decisions/0023 says why.
 */
import type { Bytes } from "../base/bytes.ts";
import type { Level } from "../base/log.ts";
import type { ResponseHead } from "../wire/http1/response-head.ts";
import type { Output } from "./output.ts";
import type { Request } from "./request.ts";
import type { AnswerFacts } from "./upstream-answer.ts";

/** What a reader says: it has used all bytes and needs more. */
export const READ_MORE = 0;
/** Of a body: data lie at `[dataStart, position)`. */
export const READ_DATA = 1;
/** The head or the body is whole; what follows begins at `position`. */
export const READ_DONE = 2;
/** It is not what it should be, which has been logged. */
export const READ_FAILED = 3;
export type Reading = number;

/** Reads the answers that one request gets. */
export interface AnswerReader {
  /** Offset of the first byte that has not been used. */
  readonly position: number;
  /** With READ_DATA: where the data begin. */
  readonly dataStart: number;
  /** The end of the connection is a good end of the body. */
  readonly endsWithConnection: boolean;
  /** The connection may be used again: its answer has come to the end. */
  readonly keepable: boolean;
  /** Bodies come in a form of their own: `readBody` takes them out. Without, they are plain, as long as `facts` say or until the end. */
  readonly framesBody: boolean;
  /** A peer is asked: what came of another is forgotten. */
  begin(): void;
  /** Goes on with the head in `bytes[start, end)`, which may have no more than `room` bytes: READ_MORE, READ_DONE or READ_FAILED. */
  readHead(bytes: Bytes, start: number, end: number, room: number): Reading;
  /** The head has been read: what it means beyond its lines. */
  amend(facts: AnswerFacts): void;
  /**
   * Begins the body: its length, 0 when there is none to come, -1 when nobody knows; whether it is read as fast as it comes; and whether it may
   * be missing, as in the answer to HEAD.
   */
  beginBody(length: number, buffered: boolean, isOptional: boolean): void;
  /** Goes on with the body. */
  readBody(bytes: Bytes, start: number, end: number): Reading;
}

/** Who reads, for a reader. */
export interface ReaderUser {
  readonly request: Request;
  /** Filled by `readHead`. */
  readonly head: ResponseHead;
  log(level: Level, message: string): void;
}

/** How a body is put into records of a protocol on its way to the peer. */
export interface BodyFraming {
  /** Most bytes of a body that one record has. */
  readonly maxRecordBytes: number;
  /** Bytes that so many bytes of a body need at most beside themselves, with the end. */
  overheadBytes(sizeBytes: number): number;
  /** Bytes in front of a record's `sizeBytes`, and behind them. */
  open(output: Output, sizeBytes: number): void;
  close(output: Output, sizeBytes: number): void;
  /** The body has ended. */
  end(output: Output): void;
}

export interface UpstreamProtocol {
  reader(user: ReaderUser): AnswerReader;
  /** Bodies of requests are framed; undefined: they follow the head as they are. */
  readonly framing: BodyFraming | undefined;
  /** A head as the file of a cache has it, which a reader reads again. */
  packHead(head: Bytes): Bytes;
}
