/**
 * A health check of a gRPC server: grpc.health.v1.Health/Check over HTTP/2 that the server is known to speak (RFC 9113 §3.3), one stream
 * at a time. nginx Plus: `health_check type=grpc`, ngx_http_upstream_hc_module; its words are those of ngx_http_grpc_module.
 */
import { type Bytes, concatBytes, latin1 } from "../base/bytes.ts";
import {
  decodeHealthResponse,
  MAX_RESPONSE_BYTES,
  MESSAGE_PREFIX_BYTES,
  SERVING,
  servingName,
} from "../wire/grpc/health.ts";
import { FieldBlock } from "../wire/http2/field-block.ts";
import { isFieldName, isFieldValue } from "../wire/http2/field-rules.ts";
import { FRAME_DATA, FRAME_MORE, FRAME_WHOLE, FrameReader } from "../wire/http2/frame-reader.ts";
import * as frames from "../wire/http2/frame-writer.ts";
import { HPACK_END, HPACK_FIELD, HPACK_NO_ROOM, HpackDecoder } from "../wire/http2/hpack-decoder.ts";
import { BEGIN_ROOM, fieldRoom, HpackEncoder, PASS } from "../wire/http2/hpack-encoder.ts";
import * as wire from "../wire/http2/protocol.ts";
import { PeerSettings } from "../wire/http2/settings.ts";
import {
  ANSWER_MALFORMED,
  ANSWER_MORE,
  ANSWER_REFUSED,
  ANSWER_WHOLE,
  type AnswerResult,
  NO_BYTES,
  type ProbeTalk,
  type Verdict,
} from "./health-talk.ts";

/** Frames that a server may send around one check: nobody who answers needs more. */
const MAX_FRAMES = 1000;
/** What waits to be sent to a server that takes nothing. */
const MAX_REPLY_BYTES = 16_384;
/** Room for the frames in front of a request: its preface and our settings. */
const BEGIN_BYTES = 100;
const SMALL_FRAME_BYTES = 32;

const ANSWER_STATUS = 200;
const FIRST_FINAL_STATUS = 200;
const COLON = 0x3a;
/** No `grpc-status` that is a number. */
const NO_STATUS = -1;

export interface GrpcQuestion {
  /** A gRPC message with its prefix. */
  readonly message: Bytes;
  /** `grpc_status=`: a status besides 0 that is taken for healthy. */
  readonly status: number | undefined;
  /** As long as the fields of an answer may be. */
  readonly headBytes: number;
  /** Fields of the request, those with a colon first. */
  fields(): readonly (readonly [name: string, value: string])[];
}

/** One connection to a gRPC server. */
export class GrpcTalk implements ProbeTalk {
  headRead = false;
  fault = "";
  private readonly question: GrpcQuestion;
  private readonly reader = new FrameReader();
  private readonly block: FieldBlock;
  private readonly decoder = new HpackDecoder();
  private readonly encoder = new HpackEncoder();
  private readonly settings = new PeerSettings();
  private readonly target: Bytes;
  private out: Bytes[] = [];
  private outBytes = 0;
  private frameCount = 0;
  private hasSettings = false;
  /** The server takes no more streams. */
  private isLeaving = false;
  /** 0 before the first check. */
  private streamId = 0;
  private isOver = true;
  /** What of the message has been sent, and the room that the server has told of. */
  private sent = 0;
  private connectionWindow = wire.DEFAULT_WINDOW_BYTES;
  private streamWindow = 0;
  /** Of the answer. */
  private httpStatus = 0;
  private grpcStatus = NO_STATUS;
  private hasGrpcStatus = false;
  private body: Bytes[] = [];
  private bodyBytes = 0;
  /** HEADERS whose block goes on: they end the stream. */
  private blockEndsStream = false;
  private blockStream = 0;

  constructor(question: GrpcQuestion) {
    this.question = question;
    this.block = new FieldBlock(question.headBytes);
    this.target = new Uint8Array(question.headBytes);
  }

  get reusable(): boolean {
    return this.isOver && !this.isLeaving && this.fault === "" && this.streamId < wire.LARGEST_STREAM_ID - 2;
  }

  ask(): Bytes {
    if (this.streamId === 0) {
      this.say(BEGIN_BYTES, (target) => {
        target.set(wire.PREFACE);
        return frames.writeSettings(target, wire.PREFACE.length, [
          [wire.ENABLE_PUSH, 0],
          [wire.MAX_HEADER_LIST_SIZE, this.question.headBytes],
        ]);
      });
      this.streamId = 1;
    } else this.streamId += 2;
    this.headRead = false;
    this.isOver = false;
    this.frameCount = 0;
    this.sent = 0;
    this.streamWindow = this.settings.initialWindowBytes;
    this.httpStatus = 0;
    this.grpcStatus = NO_STATUS;
    this.hasGrpcStatus = false;
    this.body = [];
    this.bodyBytes = 0;
    this.sayFields();
    this.sayMessage();
    return this.replies();
  }

  private sayFields(): void {
    const fields = this.question.fields();
    const block = new Uint8Array(BEGIN_ROOM + fields.reduce((sum, [name, value]) => sum + fieldRoom(name, value), 0));
    let end = this.encoder.begin(block, 0);
    for (const [name, value] of fields) end = this.encoder.field(block, end, name, value, PASS);
    const { maxFrameBytes } = this.settings;
    const whole = block.subarray(0, end);
    this.say(frames.blockRoom(end, maxFrameBytes), (target) =>
      frames.writeHeaders(target, 0, this.streamId, whole, false, maxFrameBytes),
    );
  }

  /** As much of the message as there is room for at the other end. */
  private sayMessage(): void {
    const { message } = this.question;
    while (!this.isOver && this.sent < message.length) {
      const size = Math.min(
        message.length - this.sent,
        this.connectionWindow,
        this.streamWindow,
        this.settings.maxFrameBytes,
      );
      if (size <= 0) return;
      const part = message.subarray(this.sent, this.sent + size);
      this.sent += size;
      this.connectionWindow -= size;
      this.streamWindow -= size;
      const isLast = this.sent === message.length;
      this.say(size + SMALL_FRAME_BYTES, (target) => frames.writeData(target, 0, this.streamId, part, isLast));
    }
  }

  private say(roomBytes: number, write: (target: Bytes) => number): void {
    const target = new Uint8Array(roomBytes);
    const size = write(target);
    this.out.push(target.subarray(0, size));
    this.outBytes += size;
  }

  replies(): Bytes {
    if (this.outBytes === 0) return NO_BYTES;
    const all = concatBytes(this.out);
    this.out = [];
    this.outBytes = 0;
    return all;
  }

  take(bytes: Bytes, start: number, end: number): AnswerResult {
    const { reader } = this;
    for (let at = start; ; at = reader.position) {
      const result = reader.next(bytes, at, end);
      // Also what stands behind the answer belongs to the connection.
      if (result === FRAME_MORE) return this.isOver ? ANSWER_WHOLE : ANSWER_MORE;
      if (++this.frameCount > MAX_FRAMES || this.outBytes > MAX_REPLY_BYTES)
        return this.wrong("upstream sent too many http2 frames");
      if (result !== FRAME_WHOLE && result !== FRAME_DATA) return this.wrongFrame();
      if (!this.hasSettings && reader.type !== wire.SETTINGS) return this.unexpected();
      const taken = result === FRAME_DATA ? this.takeData() : this.takeFrame();
      if (taken !== ANSWER_MORE) return taken;
      // Nothing that follows can make it an answer.
      if (this.headRead && this.httpStatus !== ANSWER_STATUS) return ANSWER_WHOLE;
    }
  }

  idle(bytes: Bytes, start: number, end: number): boolean {
    return this.take(bytes, start, end) === ANSWER_WHOLE && !this.isLeaving;
  }

  end(): boolean {
    return false;
  }

  private wrong(fault: string): AnswerResult {
    this.fault = fault;
    return ANSWER_MALFORMED;
  }

  private unexpected(): AnswerResult {
    return this.wrong(`upstream sent unexpected http2 frame: ${this.reader.type}`);
  }

  private wrongFrame(): AnswerResult {
    const { error, reason, length } = this.reader;
    if (error === wire.FRAME_SIZE_ERROR && length > wire.DEFAULT_FRAME_BYTES)
      return this.wrong(`upstream sent too large http2 frame: ${length}`);
    return this.wrong(`upstream sent invalid http2 frame: ${reason}`);
  }

  private takeFrame(): AnswerResult {
    const { reader } = this;
    switch (reader.type) {
      case wire.HEADERS:
        this.blockEndsStream = (reader.flags & wire.END_STREAM) !== 0;
        this.blockStream = reader.streamId;
        return this.takeFragment();
      case wire.CONTINUATION:
        return this.takeFragment();
      case wire.RST_STREAM:
        return this.takeReset();
      case wire.SETTINGS:
        return this.takeSettings();
      case wire.PUSH_PROMISE:
        return this.wrong("upstream sent unexpected push promise frame");
      case wire.PING: {
        const { bytes, start } = reader;
        if ((reader.flags & wire.ACK) !== 0) return this.wrong("upstream sent ping frame with ack flag");
        this.say(SMALL_FRAME_BYTES, (target) => frames.writePing(target, 0, bytes, start, true));
        return ANSWER_MORE;
      }
      case wire.GOAWAY:
        this.isLeaving = true;
        if (this.isOver || reader.otherStream >= this.streamId) return ANSWER_MORE;
        this.fault = `upstream sent goaway with error ${reader.error}`;
        return ANSWER_REFUSED;
      case wire.WINDOW_UPDATE:
        return this.widen();
      default:
        return ANSWER_MORE;
    }
  }

  /** True when a frame belongs to the stream that is asked on. */
  private isOurs(streamId: number): boolean {
    return streamId === this.streamId && !this.isOver;
  }

  private takeReset(): AnswerResult {
    const { streamId, error } = this.reader;
    if (!this.isOurs(streamId)) return streamId <= this.streamId ? ANSWER_MORE : this.unknownStream(streamId);
    this.fault = `upstream rejected request with error ${error}`;
    return error === wire.REFUSED_STREAM ? ANSWER_REFUSED : ANSWER_MALFORMED;
  }

  private unknownStream(streamId: number): AnswerResult {
    return this.wrong(`upstream sent frame for unknown stream ${streamId}`);
  }

  private takeSettings(): AnswerResult {
    const { flags, bytes, start, end } = this.reader;
    if ((flags & wire.ACK) !== 0) return this.hasSettings ? ANSWER_MORE : this.unexpected();
    this.hasSettings = true;
    const before = this.settings.initialWindowBytes;
    if (this.settings.apply(bytes, start, end) !== wire.NO_ERROR)
      return this.wrong("upstream sent invalid http2 settings");
    this.encoder.setAllowed(this.settings.headerTableBytes);
    // What a stream may send changes with its beginning (§6.9.2), and may become negative.
    this.streamWindow += this.settings.initialWindowBytes - before;
    if (this.streamWindow > wire.LARGEST_WINDOW_BYTES) return this.wrong("upstream sent too large window update");
    this.say(SMALL_FRAME_BYTES, (target) => frames.writeSettingsAck(target, 0));
    this.sayMessage();
    return ANSWER_MORE;
  }

  private widen(): AnswerResult {
    const { streamId, increment } = this.reader;
    if (streamId === 0) this.connectionWindow += increment;
    else if (this.isOurs(streamId)) this.streamWindow += increment;
    else if (streamId > this.streamId) return this.unknownStream(streamId);
    if (Math.max(this.connectionWindow, this.streamWindow) > wire.LARGEST_WINDOW_BYTES)
      return this.wrong("upstream sent too large window update");
    this.sayMessage();
    return ANSWER_MORE;
  }

  private takeData(): AnswerResult {
    const { streamId, flags, bytes, start, end, length, isLast } = this.reader;
    if (!this.isOurs(streamId))
      return streamId > this.streamId
        ? this.unknownStream(streamId)
        : this.wrong(`upstream sent frame for closed stream ${streamId}`);
    if (!this.headRead) return this.unexpected();
    if (start < end) {
      this.bodyBytes += end - start;
      if (this.bodyBytes > MESSAGE_PREFIX_BYTES + MAX_RESPONSE_BYTES)
        return this.wrong("upstream sent too large response");
      this.body.push(bytes.slice(start, end));
    }
    if (!isLast) return ANSWER_MORE;
    // The stream is short enough for its first window; the connection goes on.
    if (length > 0) this.say(SMALL_FRAME_BYTES, (target) => frames.writeWindowUpdate(target, 0, 0, length));
    if ((flags & wire.END_STREAM) !== 0) this.isOver = true;
    return ANSWER_MORE;
  }

  /** A part of a field block, or all of it. */
  private takeFragment(): AnswerResult {
    const { bytes, start, end, flags } = this.reader;
    const isWhole = (flags & wire.END_HEADERS) !== 0;
    if (!this.block.add(bytes, start, end, isWhole)) return this.wrong("upstream sent too large http2 header");
    if (!isWhole) return ANSWER_MORE;
    const { blockStream } = this;
    const isOurs = this.isOurs(blockStream);
    if (!isOurs && blockStream > this.streamId) return this.unknownStream(blockStream);
    const isTrailer = this.headRead;
    const fault = this.readFields(isOurs, isTrailer);
    if (fault !== "") return this.wrong(`upstream sent ${fault}`);
    if (!isOurs) return this.wrong(`upstream sent frame for closed stream ${blockStream}`);
    if (isTrailer && !this.blockEndsStream) return this.wrong("upstream sent trailer without end stream flag");
    if (!isTrailer) {
      if (this.httpStatus === 0) return this.wrong("upstream sent no :status header");
      if (this.httpStatus >= FIRST_FINAL_STATUS) this.headRead = true;
      // An interim answer; the one that counts follows.
      else if (this.blockEndsStream) return this.wrong(`upstream sent unexpected :status "${this.httpStatus}"`);
      else this.httpStatus = 0;
    }
    if (this.blockEndsStream) this.isOver = true;
    return ANSWER_MORE;
  }

  /** Reads the fields of a block, also of one that is not looked at: both ends remember the same. "" or what is wrong. */
  private readFields(isOurs: boolean, isTrailer: boolean): string {
    const { decoder, target, block } = this;
    decoder.begin(block.bytes, block.start, block.end);
    let sizeBytes = 0;
    let isPlain = false;
    for (;;) {
      const result = decoder.next(target, 0);
      if (result === HPACK_END) return "";
      if (result === HPACK_NO_ROOM) return "too large http2 header";
      if (result !== HPACK_FIELD) return `invalid http2 header: ${decoder.reason}`;
      if (!isOurs) continue;
      const { nameStart, nameEnd, valueStart, valueEnd } = decoder;
      sizeBytes += valueEnd;
      if (sizeBytes > target.length) return "too large http2 header";
      const isPseudo = target[nameStart] === COLON;
      if (isPseudo && (isPlain || isTrailer)) return isTrailer ? "invalid trailer" : "invalid header";
      isPlain ||= !isPseudo;
      if (!isFieldName(target, nameStart, nameEnd, isPseudo) || !isFieldValue(target, valueStart, valueEnd))
        return isTrailer ? "invalid trailer" : "invalid header";
      const fault = this.note(latin1(target, nameStart, nameEnd), latin1(target, valueStart, valueEnd));
      if (fault !== "") return fault;
    }
  }

  private note(name: string, value: string): string {
    if (name === ":status") {
      if (this.httpStatus !== 0) return "duplicate :status header";
      if (!/^[1-9][0-9]{2}$/.test(value)) return `invalid :status "${value}"`;
      this.httpStatus = Number(value);
    } else if (name.startsWith(":")) return `invalid header "${name}: ${value}"`;
    else if (name === "grpc-status") {
      this.hasGrpcStatus = true;
      this.grpcStatus = /^[0-9]{1,9}$/.test(value) ? Number(value) : NO_STATUS;
    }
    return "";
  }

  judge(): Verdict {
    if (this.httpStatus !== ANSWER_STATUS) return { failing: "status code", detail: `answer: ${this.httpStatus}` };
    if (this.grpcStatus !== 0) {
      const isWanted = this.grpcStatus === this.question.status;
      const detail = this.hasGrpcStatus ? `grpc-status: ${this.grpcStatus}` : "no grpc-status";
      return { failing: isWanted ? undefined : "grpc status", detail };
    }
    const response = decodeHealthResponse(concatBytes(this.body));
    if (!response.ok) return { failing: "grpc response", detail: response.reason };
    const failing = response.value === SERVING ? undefined : "grpc response";
    return { failing, detail: `answer: ${servingName(response.value)}` };
  }
}
