/** What a health check says on a connection and how it takes the answer: over HTTP/1 (`health-http.ts`) or to a gRPC server (`health-grpc.ts`). */
import type { Bytes } from "../base/bytes.ts";

/** What `take` says: more is to come, the answer is whole (or enough of it), or it is malformed for `fault`; */
export const ANSWER_MORE = 0;
export const ANSWER_WHOLE = 1;
export const ANSWER_MALFORMED = 2;
/** the peer has not looked at the request, for `fault`: it may be asked again on another connection. */
export const ANSWER_REFUSED = 3;
export type AnswerResult = number;

/** How an answer was judged. */
export interface Verdict {
  /** What was looked at when it failed, as log lines call it; undefined when it has passed. */
  readonly failing: string | undefined;
  /** What the answer was, for `tandem status`. */
  readonly detail: string;
}

/** One connection's talk. A connection may be used for several checks, one after another. */
export interface ProbeTalk {
  /** The head of the answer has come: what is awaited is its rest. */
  readonly headRead: boolean;
  /** The connection may be used for another check. */
  readonly reusable: boolean;
  /** What was wrong with the bytes. */
  readonly fault: string;
  /** Begins a check: the bytes of the request. */
  ask(): Bytes;
  /** The next bytes. Not to be called once it has been anything but ANSWER_MORE. */
  take(bytes: Bytes, start: number, end: number): AnswerResult;
  /** Bytes that came while nothing was asked; false when the connection is of no use any more. */
  idle(bytes: Bytes, start: number, end: number): boolean;
  /** What has to be sent because of what came, taken out. Often nothing. */
  replies(): Bytes;
  /** The connection has ended. True when that ends the answer well. */
  end(): boolean;
  /** Of an answer that is whole. */
  judge(): Verdict;
}

/** No bytes to send. */
export const NO_BYTES: Bytes = new Uint8Array(0);
