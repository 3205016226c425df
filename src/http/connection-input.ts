/**
 * The receiving half of a client's connection: bytes become heads of requests, one after another, and the bodies behind them. A base class
 * and not a part, as `connection-output.ts` is. Counterpart in nginx: ngx_http_request.c and ngx_http_request_body.c.
 *
 * While a head comes in one piece it is parsed where it was received. Input that can't be used yet is held, and nothing more is read
 * until it has been.
 */
import type { Bytes } from "../base/bytes.ts";
import type { Memory } from "../io/memory.ts";
import { COMPLETE, INCOMPLETE } from "../wire/http1/head-results.ts";
import type { BodyReader } from "./body.ts";
import { ConnectionOutput } from "./connection-output.ts";
import { ACTIVE, BODY, CLOSED, DISCARDING, DRAINING, LINGERING, READING, WAITING } from "./connection-states.ts";
import { isRefusedEarly } from "./head-rules.ts";
import { extendHead, keepHead } from "./partial-head.ts";
import type { Request } from "./request.ts";
import { beginBody, consumeBody } from "./request-body.ts";

/** A pipelined answer is begun only with so much room, so that most are written together. */
const COMFORTABLE_ROOM_BYTES = 16 * 1024;
export abstract class ConnectionInput extends ConnectionOutput {
  state = WAITING;
  /** `$connection_requests` */
  requests = 0;
  /** The request whose head is incomplete, in memory of its own. */
  protected partial: Request | undefined = undefined;
  /** Input that came while it could not be used; reading is paused. */
  protected held: Bytes | undefined = undefined;
  /** The bytes of the request that is awaited, or of its beginning, were there when the one before ended. */
  protected pipelining = false;
  /** What is held has come together with the head of the request. */
  protected heldAlong = false;
  protected ended = false;
  protected bodyPaused = false;

  /** The head of a request has come, or is refused with `result`; `end`: of the bytes that are there. */
  protected abstract startRequest(request: Request, result: number, end: number): void;
  /** The active request is over, its body included. */
  protected abstract finish(request: Request): void;
  /** The client has sent everything. */
  abstract onEnd(): void;
  /** Something that is thrown away has come: the time for more of it begins anew. */
  protected abstract relinger(): void;
  /** What was composed goes out. */
  abstract flush(): void;
  /** Ends the connection at once; an active request is logged with this status if it has none. */
  abstract terminate(status: number): void;
  /** A header line of the request that is being parsed is dropped. */
  abstract logIgnored(line: string): void;

  /** Nobody asks for anything here: it may be closed when there are too few. */
  get reusable(): boolean {
    return this.state === WAITING && this.queue === undefined && this.held === undefined;
  }

  /** True while input is being read in a call further up. */
  protected get looping(): boolean {
    return this.worker.reading === this;
  }

  onData(memory: Memory, start: number, end: number): void {
    switch (this.state) {
      case LINGERING:
        this.relinger();
        return;
      case BODY:
      case DISCARDING:
        this.feed(memory.bytes, start, end);
        break;
      case WAITING:
      case READING:
        if (this.queue === undefined) this.take(memory.bytes, start, end);
        else this.hold(memory.bytes, start, end);
        break;
      case CLOSED:
        return;
      default:
        this.hold(memory.bytes, start, end);
    }
    this.flush();
  }

  /** Reads requests until the input ends or one must wait. */
  private take(bytes: Bytes, start: number, end: number): void {
    const { input } = this.worker;
    input.set(bytes, start, end);
    this.worker.reading = this;
    while (input.at < input.end && (this.state === WAITING || this.state === READING)) {
      if (this.queue !== undefined) break;
      if (this.worker.output.room < COMFORTABLE_ROOM_BYTES) {
        this.flush();
        // The client may have gone: then this has closed the connection.
        if (this.queue !== undefined || this.closed) break;
      }
      this.readHead();
    }
    this.worker.reading = undefined;
    if (input.at < input.end && this.state < DRAINING) {
      this.hold(bytes, input.at, input.end);
      this.heldAlong = true;
    }
    input.clear();
  }

  private hold(bytes: Bytes, start: number, end: number): void {
    const before = this.held;
    const length = before === undefined ? 0 : before.length;
    this.worker.guard.claim(length + end - start);
    const held = new Uint8Array(length + end - start);
    if (before !== undefined) held.set(before, 0);
    else this.heldAlong = false;
    held.set(bytes.subarray(start, end), length);
    this.held = held;
    this.stream.pauseReading();
  }

  /** Goes on with input that was held back, behind whatever kept the connection busy. */
  protected proceed(): void {
    if (this.looping || this.queue !== undefined) return;
    const held = this.held;
    if (held !== undefined && (this.state === WAITING || this.state === READING)) {
      this.held = undefined;
      this.take(held, 0, held.length);
    }
    if (this.held === undefined && this.state !== CLOSED) this.stream.resumeReading();
    if (this.ended && this.held === undefined && this.state !== CLOSED) this.onEnd();
  }

  private readHead(): void {
    const { worker, point } = this;
    const { input } = worker;
    if (this.partial !== undefined) {
      this.readMoreHead(this.partial);
      return;
    }
    const request = worker.takeRequest();
    const { head } = request;
    head.begin(input.bytes, input.at);
    request.startMs = worker.ports.reactor.clock.now();
    request.startWallMs = worker.ports.reactor.clock.wall();
    worker.parsing = request;
    const result = head.parse(input.end, point.limits);
    if (result === INCOMPLETE && !isRefusedEarly(head, point)) {
      input.at = input.end;
      this.keepPartial(request);
      return;
    }
    input.at = head.base + head.scanned;
    this.startRequest(request, result, input.end);
  }

  private keepPartial(request: Request): void {
    const { head } = request;
    if (this.state === WAITING) {
      this.state = READING;
      this.worker.countReading(1);
      this.worker.timers.arm(this, this.point.defaultServer.conf.client_header_timeout);
    }
    if (head.empty) {
      // Only empty lines so far.
      this.worker.releaseRequest(request);
      return;
    }
    keepHead(head, this.point.limits);
    this.partial = request;
  }

  private readMoreHead(request: Request): void {
    const { input } = this.worker;
    const before = request.head.scanned;
    this.worker.parsing = request;
    const length = extendHead(request.head, input, this.point.limits);
    const result = request.head.parse(before + length, this.point.limits);
    if (result === INCOMPLETE && !isRefusedEarly(request.head, this.point)) {
      input.at += length;
      return;
    }
    this.partial = undefined;
    input.at += result === COMPLETE ? request.head.scanned - before : length;
    this.startRequest(request, result, before + length);
  }

  // ---- the request's body

  /** Throws the body away, what is there now and what comes later. False when it is malformed. */
  discardBody(request: Request): boolean {
    if (request.parent !== undefined || request.bodyDiscarded || !(request.chunkedBody || request.contentLength > 0))
      return true;
    request.bodyDiscarded = true;
    beginBody(request);
    request.bodyReceived = -1;
    const status = consumeBody(request, this.worker.input, true);
    if (request.bodyLeft === 0) request.lingeringClose = false;
    return status === 0;
  }

  /** Reads the body; the reader hears of its end, perhaps within this call. */
  readBody(request: Request, reader: BodyReader): void {
    request.bodyDiscarded = true;
    request.bodyReader = reader;
    beginBody(request);
    const status = consumeBody(request, this.worker.input, true);
    if (status !== 0 || request.bodyLeft === 0) {
      this.endBody(request, status);
      return;
    }
    this.state = BODY;
    if (!this.bodyPaused) this.worker.timers.arm(this, request.location.core.client_body_timeout);
    if (!this.looping) this.resumeInput();
  }

  /** Whoever reads the body takes no more for the moment: the client is not read, and its time does not run. */
  pauseBody(): void {
    if (this.bodyPaused) return;
    this.bodyPaused = true;
    this.stream.pauseReading();
    if (this.queue === undefined) this.stopTimer();
  }

  resumeBody(): void {
    if (!this.bodyPaused) return;
    this.bodyPaused = false;
    if (this.state !== BODY) return;
    this.worker.timers.arm(this, (this.request as Request).location.core.client_body_timeout);
    this.stream.resumeReading();
  }

  /**
   * Nobody wants the rest of the body. An answer that promised to keep the connection keeps it: the rest is thrown away behind it.
   * nginx ends the connection (`reading_body` in ngx_http_finalize_connection), and a client loses the request that it has sent by then.
   */
  abandonBody(request: Request): void {
    if (this.request !== request) return;
    request.bodyReader = undefined;
    request.bodyReceived = -1;
    if (!request.keepAlive) {
      request.bodyLeft = 0;
      request.lingeringClose = true;
    }
    this.bodyPaused = false;
    if (this.state !== BODY) return;
    this.state = ACTIVE;
    if (this.queue === undefined) this.stopTimer();
  }

  /** Goes on with input that was held back while nobody read the body. */
  protected resumeInput(): void {
    const { held } = this;
    this.held = undefined;
    if (held !== undefined) this.feed(held, 0, held.length);
    if (this.held === undefined && !this.bodyPaused) this.stream.resumeReading();
  }

  private endBody(request: Request, status: number): void {
    const reader = request.bodyReader;
    request.bodyReader = undefined;
    if (status === 0) request.lingeringClose = false;
    // What is still to come of a body that was refused is none of the parser's business any more.
    else request.bodyLeft = 0;
    this.bodyPaused = false;
    if (this.state === BODY) {
      this.state = ACTIVE;
      if (this.queue === undefined) this.stopTimer();
      else this.armSend();
    }
    reader?.onBodyEnd(status);
  }

  /** More of a body has come. */
  private feed(bytes: Bytes, start: number, end: number): void {
    const { request } = this;
    if (request === undefined) return;
    const { input } = this.worker;
    input.set(bytes, start, end);
    const status = consumeBody(request, this.worker.input, false);
    if (input.at < input.end) this.hold(bytes, input.at, input.end);
    input.clear();
    if (this.state === BODY) {
      if (status !== 0 || request.bodyLeft === 0) this.endBody(request, status);
      else {
        if (!this.bodyPaused) this.worker.timers.arm(this, request.location.core.client_body_timeout);
        request.bodyReader?.onBodyPart?.();
      }
    } else if (status !== 0) this.terminate(status);
    else if (request.bodyLeft === 0) {
      request.lingeringClose = false;
      this.state = ACTIVE;
      this.finish(request);
      this.proceed();
    } else this.relinger();
  }
}
