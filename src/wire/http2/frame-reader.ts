/**
 * HTTP/2 frames, RFC 9113 §4 and §6: a reader that takes a connection's bytes in any pieces. Data are told as they come; any other
 * payload is told whole, from where it lies when it arrived whole, and otherwise from a copy of at most `frameBytes`. What a frame
 * is by itself is checked here: lengths, padding, streams that must or must not be named, an unbroken field block. What it means for
 * a stream or for the connection's windows is its user's business.
 *
 * | state   | next bytes are                                   | ends with                  |
 * |---------|--------------------------------------------------|----------------------------|
 * | HEADER  | the nine bytes in front                          | PAYLOAD, PAD_SIZE or DATA  |
 * | PAYLOAD | what is told whole                               | HEADER                     |
 * | SKIP    | a frame of an unknown type                       | HEADER                     |
 * | PAD_SIZE| the padding's length of a DATA frame             | BODY                       |
 * | BODY    | data, then padding                               | HEADER                     |
 */
import type { Bytes } from "../../base/bytes.ts";
import {
  ACK,
  CONTINUATION,
  DATA,
  DEFAULT_FRAME_BYTES,
  END_HEADERS,
  FRAME_HEADER_BYTES,
  FRAME_SIZE_ERROR,
  GOAWAY,
  HEADERS,
  NO_ERROR,
  PADDED,
  PING,
  PRIORITY,
  PROTOCOL_ERROR,
  PUSH_PROMISE,
  RST_STREAM,
  SETTINGS,
  WINDOW_UPDATE,
  WITH_PRIORITY,
} from "./protocol.ts";

/** What `next` says: nothing whole any more; */
export const FRAME_MORE = 0;
/** a frame is whole (also one of an unknown type, without its payload); */
export const FRAME_WHOLE = 1;
/** some data of a DATA frame, `isLast` with the last of them; */
export const FRAME_DATA = 2;
/** a frame that breaks its stream: `error` is for RST_STREAM, the connection goes on; */
export const FRAME_STREAM_FAULT = 3;
/** a frame that breaks the connection: `error` is for GOAWAY, call no more. */
export const FRAME_FAULT = 4;
export type FrameResult = number;

const HEADER = 0;
const PAYLOAD = 1;
const SKIP = 2;
const PAD_SIZE = 3;
const BODY = 4;

const NOTHING: Bytes = new Uint8Array(0);
const MASK_31 = 0x7fff_ffff;
const PRIORITY_BYTES = 5;
const SETTING_BYTES = 6;
/** Stream id or error code. */
const WORD_BYTES = 4;
const PING_BYTES = 8;
const GOAWAY_BYTES = 8;

/** Reads the frames of one direction of a connection; `next` again and again until it wants more. */
export class FrameReader {
  /** Of the frame that was told last: */
  type = 0;
  flags = 0;
  streamId = 0;
  /** of its payload, padding and all: what flow control counts for DATA. */
  length = 0;
  /** Its payload without padding, priority and promised stream, or the data that came: `bytes[start, end)`, lent until the next call. */
  bytes: Bytes = NOTHING;
  start = 0;
  end = 0;
  /** FRAME_DATA: the frame ends with these. */
  isLast = false;
  /** HEADERS with a priority, PRIORITY: the stream it depends on, and its weight (1 to 256). */
  dependsOn = 0;
  isExclusive = false;
  weight = 16;
  /** PUSH_PROMISE: the stream that is promised. GOAWAY: the last one that was looked at. */
  otherStream = 0;
  /** RST_STREAM, GOAWAY: its error code. With a fault: the code to answer with. */
  error = NO_ERROR;
  /** With a fault: what is wrong. */
  reason = "";
  /** WINDOW_UPDATE. */
  increment = 0;
  /** Offset behind what has been consumed. */
  position = 0;

  private readonly frameBytes: number;
  private readonly header = new Uint8Array(FRAME_HEADER_BYTES);
  private headerUsed = 0;
  private state = HEADER;
  /** PAYLOAD: of a frame that comes in pieces. */
  private copy: Bytes = NOTHING;
  private copied = 0;
  /** Of the payload, or of its data and padding. */
  private left = 0;
  private padding = 0;
  /** The stream whose field block is open; 0: none. */
  private openBlock = 0;

  /** `frameBytes`: our MAX_FRAME_SIZE. */
  constructor(frameBytes: number = DEFAULT_FRAME_BYTES) {
    this.frameBytes = frameBytes;
  }

  /** True between two frames: where a connection may end. */
  get isAtRest(): boolean {
    return this.state === HEADER && this.headerUsed === 0;
  }

  /** Consumes from `bytes[start, end)`: one frame, some data, or all there is. */
  next(bytes: Bytes, start: number, end: number): FrameResult {
    this.position = start;
    if (this.state === HEADER) {
      const result = this.readHeader(bytes, end);
      if (result !== FRAME_WHOLE) return result;
    }
    switch (this.state) {
      case PAYLOAD:
        return this.readPayload(bytes, end);
      case SKIP:
        return this.skip(end);
      case PAD_SIZE:
        return this.readPadSize(bytes, end);
      default:
        return this.readBody(bytes, end);
    }
  }

  /** FRAME_WHOLE: a header was read and is well. */
  private readHeader(bytes: Bytes, end: number): FrameResult {
    const at = this.position;
    let from = bytes;
    let base = at;
    if (this.headerUsed > 0 || end - at < FRAME_HEADER_BYTES) {
      const size = Math.min(FRAME_HEADER_BYTES - this.headerUsed, end - at);
      for (let i = 0; i < size; i++) this.header[this.headerUsed + i] = bytes[at + i] as number;
      this.headerUsed += size;
      this.position = at + size;
      if (this.headerUsed < FRAME_HEADER_BYTES) return FRAME_MORE;
      from = this.header;
      base = 0;
    } else this.position = at + FRAME_HEADER_BYTES;
    this.headerUsed = 0;
    this.length = ((from[base] as number) << 16) | ((from[base + 1] as number) << 8) | (from[base + 2] as number);
    this.type = from[base + 3] as number;
    this.flags = from[base + 4] as number;
    // The highest bit is reserved and ignored.
    this.streamId = word(from, base + 5) & MASK_31;
    return this.begin();
  }

  private begin(): FrameResult {
    const { type, length } = this;
    this.bytes = NOTHING;
    this.start = 0;
    this.end = 0;
    this.isLast = false;
    if (length > this.frameBytes) return this.fault(FRAME_SIZE_ERROR, "a frame is too large");
    const follows = this.openBlock !== 0;
    if (follows && (type !== CONTINUATION || this.streamId !== this.openBlock))
      return this.fault(PROTOCOL_ERROR, "a field block is interrupted");
    if (!follows && type === CONTINUATION) return this.fault(PROTOCOL_ERROR, "CONTINUATION without a field block");
    const wrong = type <= CONTINUATION ? this.checkStream() : "";
    if (wrong !== "") return this.fault(PROTOCOL_ERROR, wrong);
    this.left = length;
    this.padding = 0;
    if (type === DATA) {
      this.state = (this.flags & PADDED) !== 0 ? PAD_SIZE : BODY;
      return this.state === PAD_SIZE && length === 0
        ? this.fault(FRAME_SIZE_ERROR, "DATA without its padding")
        : FRAME_WHOLE;
    }
    this.state = type <= CONTINUATION ? PAYLOAD : SKIP;
    this.copied = 0;
    return FRAME_WHOLE;
  }

  /** What is wrong with the stream that is named. */
  private checkStream(): string {
    switch (this.type) {
      case SETTINGS:
      case PING:
      case GOAWAY:
        return this.streamId === 0 ? "" : "a frame of the connection names a stream";
      case WINDOW_UPDATE:
        return "";
      default:
        return this.streamId === 0 ? "a frame of a stream names none" : "";
    }
  }

  private readPayload(bytes: Bytes, end: number): FrameResult {
    const { position, length } = this;
    if (this.copied === 0 && end - position >= length) {
      this.position = position + length;
      return this.tell(bytes, position);
    }
    if (position === end) return FRAME_MORE;
    if (this.copied === 0) this.copy = new Uint8Array(length);
    const size = Math.min(length - this.copied, end - position);
    this.copy.set(bytes.subarray(position, position + size), this.copied);
    this.copied += size;
    this.position = position + size;
    if (this.copied < length) return FRAME_MORE;
    const whole = this.copy;
    this.copy = NOTHING;
    return this.tell(whole, 0);
  }

  private skip(end: number): FrameResult {
    const size = Math.min(this.left, end - this.position);
    this.position += size;
    this.left -= size;
    if (this.left > 0) return FRAME_MORE;
    this.state = HEADER;
    return FRAME_WHOLE;
  }

  private readPadSize(bytes: Bytes, end: number): FrameResult {
    if (this.position === end) return FRAME_MORE;
    this.padding = bytes[this.position++] as number;
    this.left--;
    if (this.padding > this.left) return this.fault(PROTOCOL_ERROR, "padding is longer than its frame");
    this.state = BODY;
    return this.readBody(bytes, end);
  }

  private readBody(bytes: Bytes, end: number): FrameResult {
    const { position } = this;
    const size = Math.min(this.left, end - position);
    // Negative within the padding.
    const data = Math.min(size, this.left - this.padding);
    this.left -= size;
    this.position = position + size;
    this.isLast = this.left === 0;
    if (this.isLast) this.state = HEADER;
    // Padding alone is nothing to tell of, unless the frame ends with it.
    else if (data <= 0) return FRAME_MORE;
    this.bytes = bytes;
    this.start = position;
    this.end = position + Math.max(0, data);
    return FRAME_DATA;
  }

  /** The payload is `bytes[start, start + length)`. */
  private tell(bytes: Bytes, start: number): FrameResult {
    this.state = HEADER;
    this.bytes = bytes;
    this.start = start;
    this.end = start + this.length;
    switch (this.type) {
      case HEADERS:
      case PUSH_PROMISE:
        return this.readBlockStart();
      case CONTINUATION:
        if ((this.flags & END_HEADERS) !== 0) this.openBlock = 0;
        return FRAME_WHOLE;
      case PRIORITY:
        if (this.length !== PRIORITY_BYTES) return this.streamFault(FRAME_SIZE_ERROR, "PRIORITY has a wrong length");
        this.readPriority();
        return FRAME_WHOLE;
      case RST_STREAM:
        if (this.length !== WORD_BYTES) return this.fault(FRAME_SIZE_ERROR, "RST_STREAM has a wrong length");
        this.error = word(bytes, start) >>> 0;
        return FRAME_WHOLE;
      case SETTINGS:
        if ((this.flags & ACK) !== 0 ? this.length !== 0 : this.length % SETTING_BYTES !== 0)
          return this.fault(FRAME_SIZE_ERROR, "SETTINGS have a wrong length");
        return FRAME_WHOLE;
      case PING:
        return this.length === PING_BYTES ? FRAME_WHOLE : this.fault(FRAME_SIZE_ERROR, "PING has a wrong length");
      case GOAWAY:
        if (this.length < GOAWAY_BYTES) return this.fault(FRAME_SIZE_ERROR, "GOAWAY has a wrong length");
        this.otherStream = word(bytes, start) & MASK_31;
        this.error = word(bytes, start + WORD_BYTES) >>> 0;
        this.start += GOAWAY_BYTES;
        return FRAME_WHOLE;
      default:
        return this.readWindowUpdate();
    }
  }

  /** HEADERS and PUSH_PROMISE: padding, then priority or promised stream, then the fragment. */
  private readBlockStart(): FrameResult {
    const { bytes, flags } = this;
    let padding = 0;
    if ((flags & PADDED) !== 0) {
      if (this.start === this.end) return this.fault(FRAME_SIZE_ERROR, "a frame without its padding");
      padding = bytes[this.start++] as number;
    }
    const isPromise = this.type === PUSH_PROMISE;
    const hasPriority = !isPromise && (flags & WITH_PRIORITY) !== 0;
    const fixed = isPromise ? WORD_BYTES : hasPriority ? PRIORITY_BYTES : 0;
    if (this.end - this.start < fixed) return this.fault(FRAME_SIZE_ERROR, "a frame without its first fields");
    if (hasPriority) this.readPriority();
    else if (isPromise) {
      this.otherStream = word(bytes, this.start) & MASK_31;
      if (this.otherStream === 0) return this.fault(PROTOCOL_ERROR, "PUSH_PROMISE without a stream");
    }
    this.start += fixed;
    if (padding > this.end - this.start) return this.fault(PROTOCOL_ERROR, "padding is longer than its frame");
    this.end -= padding;
    if ((flags & END_HEADERS) === 0) this.openBlock = this.streamId;
    return FRAME_WHOLE;
  }

  private readPriority(): void {
    const first = word(this.bytes, this.start);
    this.isExclusive = first < 0;
    this.dependsOn = first & MASK_31;
    this.weight = 1 + (this.bytes[this.start + WORD_BYTES] as number);
  }

  private readWindowUpdate(): FrameResult {
    if (this.length !== WORD_BYTES) return this.fault(FRAME_SIZE_ERROR, "WINDOW_UPDATE has a wrong length");
    this.increment = word(this.bytes, this.start) & MASK_31;
    if (this.increment > 0) return FRAME_WHOLE;
    const reason = "WINDOW_UPDATE by nothing";
    return this.streamId === 0 ? this.fault(PROTOCOL_ERROR, reason) : this.streamFault(PROTOCOL_ERROR, reason);
  }

  private fault(error: number, reason: string): FrameResult {
    this.error = error;
    this.reason = reason;
    return FRAME_FAULT;
  }

  private streamFault(error: number, reason: string): FrameResult {
    this.error = error;
    this.reason = reason;
    return FRAME_STREAM_FAULT;
  }
}

/** Four bytes as a signed number. */
function word(bytes: Bytes, at: number): number {
  return (
    ((bytes[at] as number) << 24) |
    ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number)
  );
}
