/** The answer to a health check, read to its end or as far as it is looked at. */
import { type Bytes, latin1 } from "../base/bytes.ts";
import { CHUNK_DATA, CHUNK_DONE, CHUNK_MORE, ChunkedDecoder } from "../wire/http1/chunked.ts";
import { parseDecimal } from "../wire/http1/digits.ts";
import * as wire from "../wire/http1/response-head.ts";
import { EXAMINED_BODY_BYTES } from "./health-match.ts";
import { ANSWER_MALFORMED, ANSWER_MORE, ANSWER_WHOLE, type AnswerResult } from "./health-talk.ts";

const FIRST_FINAL_STATUS = 200;
const NO_CONTENT = 204;
const NOT_MODIFIED = 304;
const UNTIL_CLOSE = -1;

export class HealthAnswer {
  readonly head = new wire.ResponseHead();
  /** Of the body, one character a byte. */
  text = "";
  headRead = false;
  /** The connection may bring another answer. */
  reusable = false;
  private readonly buffer: Bytes;
  private used = 0;
  private left = UNTIL_CLOSE;
  private decoder: ChunkedDecoder | undefined = undefined;
  private keepAlive = false;

  /** `headBytes`: as long as a head may be. */
  constructor(headBytes: number) {
    this.buffer = new Uint8Array(headBytes);
    this.head.begin(this.buffer, 0);
  }

  /** The next bytes. Call no more when it has been whole or malformed. */
  take(bytes: Bytes, start: number, end: number): AnswerResult {
    if (this.headRead) return this.takeBody(bytes, start, end);
    const size = Math.min(end - start, this.buffer.length - this.used);
    const before = this.used;
    this.buffer.set(bytes.subarray(start, start + size), before);
    this.used += size;
    const result = this.head.parse(this.used);
    if (result === wire.HEAD_INCOMPLETE) return size < end - start ? ANSWER_MALFORMED : ANSWER_MORE;
    if (result !== wire.HEAD_COMPLETE) return ANSWER_MALFORMED;
    const rest = start + this.head.scanned - before;
    if (this.head.status < FIRST_FINAL_STATUS) {
      // An interim answer; the one that counts follows.
      this.used = 0;
      this.head.begin(this.buffer, 0);
      return rest < end ? this.take(bytes, rest, end) : ANSWER_MORE;
    }
    this.headRead = true;
    if (!this.readFraming()) return ANSWER_MALFORMED;
    return this.takeBody(bytes, rest, end);
  }

  /** The connection has ended. True when that ends the answer well. */
  end(): boolean {
    return this.headRead && this.decoder === undefined && this.left === UNTIL_CLOSE;
  }

  private readFraming(): boolean {
    const { head } = this;
    this.keepAlive = head.version > 1000;
    for (let index = 0; index < head.fieldCount; index++) {
      switch (head.field(index)) {
        case wire.CONTENT_LENGTH_FIELD:
          this.left = parseDecimal(head.bytes, head.valueStart(index), head.valueEnd(index));
          if (this.left < 0) return false;
          break;
        case wire.TRANSFER_ENCODING_FIELD:
          if (head.value(index).toLowerCase() !== "chunked") return false;
          this.decoder = new ChunkedDecoder();
          break;
        case wire.CONNECTION_FIELD:
          if (head.value(index).toLowerCase().includes("close")) this.keepAlive = false;
      }
    }
    if (head.status === NO_CONTENT || head.status === NOT_MODIFIED) {
      this.left = 0;
      this.decoder = undefined;
    }
    return true;
  }

  private takeBody(bytes: Bytes, start: number, end: number): AnswerResult {
    if (this.decoder !== undefined) return this.takeChunks(this.decoder, bytes, start, end);
    const size = this.left === UNTIL_CLOSE ? end - start : Math.min(this.left, end - start);
    this.keep(bytes, start, start + size);
    if (this.left !== UNTIL_CLOSE) this.left -= size;
    if (this.left === 0) return this.finish(start + size === end);
    return this.text.length >= EXAMINED_BODY_BYTES ? ANSWER_WHOLE : ANSWER_MORE;
  }

  private takeChunks(decoder: ChunkedDecoder, bytes: Bytes, start: number, end: number): AnswerResult {
    for (let at = start; at < end; ) {
      const result = decoder.next(bytes, at, end);
      at = decoder.position;
      if (result === CHUNK_DATA) this.keep(bytes, decoder.dataStart, at);
      else if (result === CHUNK_DONE) return this.finish(at === end);
      else if (result !== CHUNK_MORE) return ANSWER_MALFORMED;
    }
    return this.text.length >= EXAMINED_BODY_BYTES ? ANSWER_WHOLE : ANSWER_MORE;
  }

  private keep(bytes: Bytes, start: number, end: number): void {
    const room = EXAMINED_BODY_BYTES - this.text.length;
    if (room > 0 && start < end) this.text += latin1(bytes, start, Math.min(end, start + room));
  }

  private finish(isExact: boolean): AnswerResult {
    this.reusable = isExact && this.keepAlive;
    return ANSWER_WHOLE;
  }
}
