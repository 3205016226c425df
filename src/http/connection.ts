/**
 * A client's connection: bytes in, requests one after another, bytes out. Counterpart in nginx: ngx_http_request.c
 * (reading, keep-alive, lingering close) and ngx_http_write_filter_module.c.
 *
 * | state      | means                                                         | timer                       |
 * |------------|---------------------------------------------------------------|-----------------------------|
 * | waiting    | nothing of the next request has come                          | header or keep-alive        |
 * | reading    | a part of a request's head has come                           | client_header_timeout       |
 * | active     | a request is being answered                                   | send_timeout while blocked  |
 * | body       | the request's body is being read                              | client_body_timeout         |
 * | discarding | the answer has been given, its request's body is thrown away   | lingering_timeout           |
 * | draining   | the last answer is on its way, then the connection ends       | send_timeout                |
 * | lingering  | our side is shut, what the client still sends is thrown away   | lingering_timeout           |
 *
 * Memory: while a head comes in one piece it is parsed where it was received. An idle connection owns no buffer. What
 * a socket does not take is kept in `queue`, and nothing more is read until it has gone.
 */
import type { Bytes } from "../base/bytes.ts";
import { printIp } from "../base/ip.ts";
import type { Level, LogContext } from "../base/log.ts";
import { printEndpoint } from "../io/listen.ts";
import type { Memory } from "../io/memory.ts";
import type { Stream, StreamOwner } from "../io/stream.ts";
import { Timed } from "../net/timers.ts";
import { CHUNK_DATA, CHUNK_DONE, CHUNK_MORE, ChunkedDecoder } from "../wire/http1/chunked.ts";
import { COMPLETE, INCOMPLETE } from "../wire/http1/request-head.ts";
import type { Chunk } from "./body.ts";
import { begin, drive, refuseHead } from "./engine.ts";
import type { ListeningPoint } from "./location.ts";
import { CLIENT_CLOSED } from "./outcome.ts";
import type { Output } from "./output.ts";
import type { Request } from "./request.ts";
import type { Worker } from "./worker.ts";

export const WAITING = 0;
export const READING = 1;
export const ACTIVE = 2;
export const BODY = 3;
export const DISCARDING = 4;
export const DRAINING = 5;
export const LINGERING = 6;
export const CLOSED = 7;

/** Files up to this size are read into the output memory: cheaper than sendfile, and one packet with the header. */
const SMALL_FILE_BYTES = 16 * 1024;
/** A pipelined answer is begun only with so much room, so that most are written together. */
const COMFORTABLE_ROOM_BYTES = 16 * 1024;
/** Idle time that a keep-alive connection has to bring one more request while the worker quiesces. */
const DRAIN_MS = 1000;
const NOTHING: Bytes = new Uint8Array(0);
const ECONNRESET = 104;
const ETIMEDOUT = 110;

/** Takes the pieces of a request's body. */
export interface BodyReader {
  onBody(bytes: Bytes, start: number, end: number): void;
  /** The body is whole, or the status to answer instead. */
  onBodyEnd(status: number): void;
}

export class Connection extends Timed implements StreamOwner {
  readonly worker: Worker;
  readonly stream: Stream;
  readonly point: ListeningPoint;
  /** `$connection` */
  readonly number: number;
  readonly startMs: number;
  state = WAITING;
  /** `$connection_requests` */
  requests = 0;
  request: Request | undefined = undefined;
  /** The request whose head is incomplete, with the bytes of it that are there. */
  private partial: Request | undefined = undefined;
  private partialEnd = 0;
  /** Input of the current call. */
  private input: Bytes = NOTHING;
  private inputAt = 0;
  private inputEnd = 0;
  /** Input that came while it could not be used; reading is paused. */
  private held: Bytes | undefined = undefined;
  private looping = false;
  private ended = false;
  private noDelay = false;
  /** Output that the socket has not taken. */
  private queue: Chunk[] | undefined = undefined;
  /** The active request has given its whole answer. */
  private answerEnded = false;
  /** Not before this instant may more be sent (limit_rate). */
  private pausedUntilMs = 0;
  private bodyLeft = 0;
  private decoder: ChunkedDecoder | undefined = undefined;
  private reader: BodyReader | undefined = undefined;
  private lingerUntilMs = 0;
  /** Second part of the keep-alive time, behind keepalive_min_timeout. */
  private keepAliveRestMs = 0;
  private linger = false;

  constructor(worker: Worker, stream: Stream, point: ListeningPoint) {
    super();
    this.worker = worker;
    this.stream = stream;
    this.point = point;
    this.number = worker.nextConnection++;
    this.startMs = worker.ports.reactor.clock.now();
    worker.connections.add(this);
    worker.timers.arm(this, point.defaultServer.conf.client_header_timeout);
  }

  /** Address of the client as text; `unix:` for a unix socket. */
  get remoteAddress(): string {
    const { remote } = this.stream;
    return "ip" in remote ? printIp(remote.ip) : "unix:";
  }

  /** Address that the client has connected to, without port. */
  get localAddress(): string {
    const { local } = this.stream;
    return "ip" in local ? printIp(local.ip) : printEndpoint(local);
  }

  get idle(): boolean {
    return this.state === WAITING && this.requests > 0 && this.queue === undefined;
  }

  // ---- input

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
    this.input = bytes;
    this.inputAt = start;
    this.inputEnd = end;
    this.looping = true;
    while (this.inputAt < this.inputEnd && (this.state === WAITING || this.state === READING)) {
      if (this.queue !== undefined) break;
      if (this.worker.output.room < COMFORTABLE_ROOM_BYTES) {
        this.flush();
        if (this.queue !== undefined) break;
      }
      this.readHead();
    }
    this.looping = false;
    if (this.inputAt < this.inputEnd && this.state < DRAINING) this.hold(bytes, this.inputAt, this.inputEnd);
    this.input = NOTHING;
    this.inputAt = 0;
    this.inputEnd = 0;
  }

  private hold(bytes: Bytes, start: number, end: number): void {
    const before = this.held;
    const length = before === undefined ? 0 : before.length;
    const held = new Uint8Array(length + end - start);
    if (before !== undefined) held.set(before, 0);
    held.set(bytes.subarray(start, end), length);
    this.held = held;
    this.stream.pauseReading();
  }

  /** Goes on with input that was held back, behind whatever kept the connection busy. */
  private proceed(): void {
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
    if (this.partial !== undefined) {
      this.readMoreHead(this.partial);
      return;
    }
    const request = worker.takeRequest();
    const { head } = request;
    head.begin(this.input, this.inputAt);
    request.startMs = worker.ports.reactor.clock.now();
    request.startWallMs = worker.ports.reactor.clock.wall();
    const result = head.parse(this.inputEnd, point.limits);
    if (result === INCOMPLETE) {
      this.inputAt = this.inputEnd;
      this.keepPartial(request);
      return;
    }
    this.inputAt = head.base + head.scanned;
    this.startRequest(request, result);
  }

  private keepPartial(request: Request): void {
    const { head } = request;
    if (this.state === WAITING) {
      this.state = READING;
      this.worker.timers.arm(this, this.point.defaultServer.conf.client_header_timeout);
    }
    if (head.empty) {
      // Only empty lines so far.
      this.worker.releaseRequest(request);
      return;
    }
    const length = head.scanned;
    const buffer = new Uint8Array(Math.max(this.point.limits.bufferSize, length + 256));
    buffer.set(this.input.subarray(head.base, head.base + length));
    head.bytes = buffer;
    head.base = 0;
    this.partial = request;
    this.partialEnd = length;
  }

  private readMoreHead(request: Request): void {
    const { head } = request;
    const { limits } = this.point;
    const before = this.partialEnd;
    // The parser refuses what exceeds the header buffers, so this bound is met once at most.
    const largest = limits.bufferSize + limits.largeBuffers * limits.largeBufferSize + 1;
    const length = Math.min(this.inputEnd - this.inputAt, Math.max(1, largest - before));
    let buffer = head.bytes;
    if (before + length > buffer.length) {
      buffer = new Uint8Array(Math.max(before + length, Math.min(buffer.length * 2, largest)));
      buffer.set(head.bytes.subarray(0, before));
      head.bytes = buffer;
    }
    buffer.set(this.input.subarray(this.inputAt, this.inputAt + length), before);
    this.partialEnd = before + length;
    const result = head.parse(this.partialEnd, limits);
    if (result === INCOMPLETE) {
      this.inputAt += length;
      return;
    }
    this.partial = undefined;
    this.inputAt += result === COMPLETE ? head.scanned - before : length;
    this.startRequest(request, result);
  }

  private startRequest(request: Request, result: number): void {
    const { worker } = this;
    request.reset(this);
    request.pipelined = this.state === WAITING && this.looping && this.requests > 0 && worker.output.used > 0;
    this.request = request;
    this.requests++;
    worker.requests++;
    worker.writing++;
    this.state = ACTIVE;
    this.answerEnded = false;
    this.stopTimer();
    if (result === COMPLETE) begin(request, this.point);
    else refuseHead(request, this.point, result);
    if (this.state === ACTIVE && this.request === request) this.detach(request);
  }

  /** The request goes on behind this call: its head must not lie in borrowed memory. */
  private detach(request: Request): void {
    if (request.head.bytes === this.input) request.head.detach();
  }

  // ---- the request's body

  /** Bytes of the body that have not been read; -1 while a chunked one is open. */
  hasBodyLeft(request: Request): boolean {
    if (request.bodyDiscarded) return this.bodyLeft !== 0;
    return request.chunkedBody || request.contentLength > 0;
  }

  /** Throws the body away, what is there now and what comes later. False when it is malformed. */
  discardBody(request: Request): boolean {
    if (request.bodyDiscarded || !(request.chunkedBody || request.contentLength > 0)) return true;
    request.bodyDiscarded = true;
    this.beginBody(request);
    const ok = this.consumeInput();
    if (this.bodyLeft === 0) request.lingeringClose = false;
    return ok;
  }

  /** Reads the body; the reader hears of its end, perhaps within this call. */
  readBody(request: Request, reader: BodyReader): void {
    request.bodyDiscarded = true;
    this.reader = reader;
    this.beginBody(request);
    if (!this.consumeInput()) {
      this.endBody(400);
      return;
    }
    if (this.bodyLeft === 0) {
      request.lingeringClose = false;
      this.endBody(0);
      return;
    }
    this.state = BODY;
    this.worker.timers.arm(this, request.location.core.client_body_timeout);
    if (!this.looping) this.resumeInput();
  }

  private endBody(status: number): void {
    const reader = this.reader;
    this.reader = undefined;
    if (this.state === BODY) {
      this.state = ACTIVE;
      this.stopTimer();
    }
    reader?.onBodyEnd(status);
  }

  private beginBody(request: Request): void {
    if (request.chunkedBody) {
      this.decoder ??= new ChunkedDecoder();
      this.decoder.reset();
      this.bodyLeft = -1;
    } else this.bodyLeft = Math.max(0, request.contentLength);
  }

  /** Consumes the part of the body that lies in the input. False when it is malformed. */
  private consumeInput(): boolean {
    const { reader } = this;
    while (this.inputAt < this.inputEnd && this.bodyLeft !== 0) {
      if (this.bodyLeft > 0) {
        const size = Math.min(this.bodyLeft, this.inputEnd - this.inputAt);
        reader?.onBody(this.input, this.inputAt, this.inputAt + size);
        this.inputAt += size;
        this.bodyLeft -= size;
        continue;
      }
      const decoder = this.decoder as ChunkedDecoder;
      const result = decoder.next(this.input, this.inputAt, this.inputEnd);
      this.inputAt = decoder.position;
      if (result === CHUNK_DATA) reader?.onBody(this.input, decoder.dataStart, decoder.position);
      else if (result === CHUNK_DONE) this.bodyLeft = 0;
      else if (result !== CHUNK_MORE) {
        this.bodyLeft = 0;
        this.logError("error", "client sent invalid chunked body");
        return false;
      }
    }
    return true;
  }

  /** More of a body has come. */
  private feed(bytes: Bytes, start: number, end: number): void {
    this.input = bytes;
    this.inputAt = start;
    this.inputEnd = end;
    const { request } = this;
    const ok = this.consumeInput();
    const rest = this.inputEnd - this.inputAt;
    if (rest > 0) this.hold(bytes, this.inputAt, this.inputEnd);
    this.input = NOTHING;
    this.inputAt = 0;
    this.inputEnd = 0;
    if (request === undefined) return;
    if (this.state === BODY) {
      if (ok && this.bodyLeft !== 0) {
        this.worker.timers.arm(this, request.location.core.client_body_timeout);
        return;
      }
      if (ok) request.lingeringClose = false;
      this.endBody(ok ? 0 : 400);
    } else if (!ok) this.terminate(400);
    else if (this.bodyLeft === 0) {
      request.lingeringClose = false;
      this.state = ACTIVE;
      this.finish(request);
      this.proceed();
    } else this.relinger();
  }

  private resumeInput(): void {
    const held = this.held;
    if (held === undefined) {
      this.stream.resumeReading();
      return;
    }
    this.held = undefined;
    this.feed(held, 0, held.length);
    if (this.held === undefined) this.stream.resumeReading();
  }

  // ---- output

  /** Output memory with room for `sizeBytes`, undefined when so much never fits. */
  outputFor(sizeBytes: number): Output | undefined {
    const output = this.worker.claimOutput(this);
    if (output.room >= sizeBytes) return output;
    this.flushOutput(true);
    return output.room >= sizeBytes ? output : undefined;
  }

  /** Sends a piece of the active request's answer. */
  emit(request: Request, chunk: Chunk): void {
    const size = chunk.end - chunk.start;
    if (size === 0) return;
    request.sentBytes += size;
    if (this.queue !== undefined || request.limitRate > 0) {
      this.enqueue(chunk);
      return;
    }
    if (chunk.bytes !== undefined) this.emitBytes(chunk.bytes, chunk);
    else this.emitFile(request, chunk);
  }

  private emitBytes(bytes: Bytes, chunk: Chunk): void {
    const output = this.worker.claimOutput(this);
    let at = chunk.start;
    for (;;) {
      const size = Math.min(output.room, chunk.end - at);
      output.copy(bytes, at, at + size);
      at += size;
      if (at === chunk.end) return;
      this.flushOutput(true);
      if (this.queue !== undefined) {
        this.enqueue({ ...chunk, start: at });
        return;
      }
      if (this.state === CLOSED) return;
    }
  }

  private emitFile(request: Request, chunk: Chunk): void {
    const size = chunk.end - chunk.start;
    if (size <= SMALL_FILE_BYTES) {
      const output = this.outputFor(size);
      if (this.state === CLOSED) return;
      if (output !== undefined && this.queue === undefined) {
        const read = this.worker.ports.files.read(chunk.fd, output.memory, output.used, size, chunk.start);
        if (read === size) output.used += size;
        else this.fileFailed(request, read);
        return;
      }
      this.enqueue(chunk);
      return;
    }
    this.flushOutput(true);
    if (this.state === CLOSED) return;
    this.enqueue(chunk);
    this.pump();
  }

  /** A file is shorter than it was, or can't be read: the answer can't be completed. */
  private fileFailed(request: Request, result: number): void {
    const name = request.file?.path ?? "";
    if (result >= 0) this.logError("alert", `file "${name}" was truncated`);
    else this.logError("crit", `read() "${name}" failed`, -result);
    this.terminate(0);
  }

  private enqueue(chunk: Chunk): void {
    const output = this.worker.output;
    if (this.worker.outputOwner === this && output.used > 0) {
      const bytes = new Uint8Array(output.used);
      bytes.set(output.bytes.subarray(0, output.used));
      output.used = 0;
      this.push({ bytes, fd: -1, start: 0, end: bytes.length });
    }
    this.push(chunk);
  }

  private push(chunk: Chunk): void {
    if (this.queue === undefined) this.queue = [chunk];
    else this.queue.push(chunk);
  }

  /** Offers the composed bytes to the socket; what it doesn't take goes into the queue. */
  private flushOutput(more: boolean): void {
    const { worker } = this;
    const { output } = worker;
    if (worker.outputOwner !== this || output.used === 0 || this.state === CLOSED) return;
    const size = output.used;
    if (this.queue !== undefined) {
      const bytes = new Uint8Array(size);
      bytes.set(output.bytes.subarray(0, size));
      output.used = 0;
      this.push({ bytes, fd: -1, start: 0, end: size });
      return;
    }
    output.used = 0;
    const taken = this.stream.write(output.memory, 0, size, more);
    if (taken === size) return;
    if (taken < 0) {
      this.failed(-taken, "send()");
      return;
    }
    const bytes = new Uint8Array(size - taken);
    bytes.set(output.bytes.subarray(taken, size));
    this.push({ bytes, fd: -1, start: 0, end: bytes.length });
    this.armSend();
  }

  /** Every way into this connection ends here: composed bytes go out, and an ended connection is closed. */
  flush(): void {
    this.flushOutput(false);
    if (this.queue !== undefined && this.request !== undefined && this.request.limitRate > 0) this.pump();
    if (this.state === DRAINING && this.queue === undefined) this.closeNow();
  }

  private armSend(): void {
    const location = this.request?.location ?? this.point.defaultServer.location;
    this.worker.timers.arm(this, location.core.send_timeout);
  }

  /** Sends from the queue until the socket is full, the rate is used up or nothing is left. */
  private pump(): void {
    const queue = this.queue;
    if (queue === undefined) return;
    const { request } = this;
    const { clock } = this.worker.ports.reactor;
    if (this.pausedUntilMs > clock.now()) return;
    let budget = request === undefined ? Number.POSITIVE_INFINITY : this.allowance(request);
    if (budget <= 0) return;
    const largest = request?.location.core.sendfile_max_chunk ?? 0;
    if (largest > 0 && largest < budget) budget = largest;
    let sent = 0;
    while (queue.length > 0 && sent < budget) {
      const chunk = queue[0] as Chunk;
      const size = Math.min(chunk.end - chunk.start, budget - sent);
      const offered = chunk.bytes === undefined ? size : Math.min(size, this.worker.output.size);
      const taken = this.offer(chunk, offered, queue.length > 1);
      if (taken < 0) return;
      sent += taken;
      if (chunk.start + taken === chunk.end) queue.shift();
      else queue[0] = { ...chunk, start: chunk.start + taken };
      if (taken < offered) {
        this.armSend();
        return;
      }
    }
    if (queue.length > 0) {
      this.sendLater(request, sent);
      return;
    }
    this.queue = undefined;
    if (request !== undefined && request.limitRate > 0) this.slowDown(request, sent);
    else if (this.state === ACTIVE || this.state === WAITING || this.state === READING) this.stopTimer();
    this.drained();
  }

  /** Offers the beginning of a chunk; bytes taken, or -1 when the connection has failed. */
  private offer(chunk: Chunk, size: number, more: boolean): number {
    const { worker } = this;
    const { output, ports } = worker;
    const sendfile = this.request?.location.core.sendfile ?? true;
    let taken: number;
    if (chunk.bytes === undefined && sendfile) {
      taken = this.stream.sendFile(chunk.fd, chunk.start, size);
    } else {
      // The memory may hold another connection's answer.
      if (output.used > 0) worker.outputOwner?.flushOutput(false);
      let ready = Math.min(size, output.size);
      if (chunk.bytes !== undefined) output.bytes.set(chunk.bytes.subarray(chunk.start, chunk.start + ready), 0);
      else {
        const read = ports.files.read(chunk.fd, output.memory, 0, ready, chunk.start);
        if (read <= 0) {
          if (this.request !== undefined) this.fileFailed(this.request, read);
          return -1;
        }
        ready = read;
      }
      taken = this.stream.write(output.memory, 0, ready, more || ready < chunk.end - chunk.start);
      if (taken === ready && ready < size) return taken + this.offerRest(chunk, taken, size);
    }
    if (taken >= 0) return taken;
    if (taken === -ENODATA && this.request !== undefined) this.fileFailed(this.request, 0);
    else this.failed(-taken, chunk.bytes === undefined ? "sendfile()" : "send()");
    return -1;
  }

  private offerRest(chunk: Chunk, done: number, size: number): number {
    const rest = this.offer({ ...chunk, start: chunk.start + done }, size - done, false);
    return Math.max(rest, 0);
  }

  /** Bytes that limit_rate lets pass now; arms the timer for the rest when there are none. nginx's formula. */
  private allowance(request: Request): number {
    const rate = request.limitRate;
    if (rate <= 0) return Number.POSITIVE_INFINITY;
    const { clock } = this.worker.ports.reactor;
    let queued = 0;
    for (const chunk of this.queue ?? []) queued += chunk.end - chunk.start;
    const seconds = Math.floor(clock.wall() / 1000) - Math.floor(request.startWallMs / 1000) + 1;
    const limit = rate * seconds - (request.sentBytes - queued - Math.max(0, request.limitRateAfter));
    if (limit > 0) return limit;
    this.pauseSending((-limit * 1000) / rate + 1);
    return 0;
  }

  private pauseSending(delayMs: number): void {
    this.pausedUntilMs = this.worker.ports.reactor.clock.now() + delayMs;
    this.worker.timers.arm(this, delayMs);
  }

  /** The budget of this turn is used up. */
  private sendLater(request: Request | undefined, sent: number): void {
    if (request !== undefined && request.limitRate > 0) {
      this.pauseSending(Math.max(1, (sent * 1000) / request.limitRate));
      return;
    }
    this.armSend();
    this.worker.ports.reactor.defer(() => {
      if (this.state === CLOSED) return;
      this.pump();
      this.flush();
    });
  }

  private slowDown(request: Request, sent: number): void {
    const delayMs = (sent * 1000) / request.limitRate;
    if (delayMs > 0 && !this.answerEnded) this.pausedUntilMs = this.worker.ports.reactor.clock.now() + delayMs;
    this.stopTimer();
  }

  private drained(): void {
    const { request } = this;
    if (request !== undefined && this.answerEnded && this.state === ACTIVE) this.finish(request);
    this.proceed();
  }

  onWritable(): void {
    if (this.state === CLOSED) return;
    this.pump();
    this.flush();
  }

  // ---- the end of a request

  /** The whole answer has been given; the request ends when the socket has taken it. */
  endAnswer(request: Request): void {
    this.answerEnded = true;
    if (this.queue === undefined) {
      this.finish(request);
      return;
    }
    if (request.limitRate <= 0) this.armSend();
    // From here on only the end of the client is of interest; its data wait.
    if (!this.looping) this.stream.resumeReading();
  }

  /** Continues a request that has waited for something. */
  resume(request: Request, outcome: number): void {
    if (this.request !== request || this.state === CLOSED) return;
    drive(request, outcome);
    this.proceed();
    this.flush();
  }

  private finish(request: Request): void {
    const { worker } = this;
    if (request.bodyDiscarded && this.bodyLeft !== 0 && request.keepAlive && !this.ended) {
      this.state = DISCARDING;
      this.relinger();
      return;
    }
    request.complete = true;
    const { core } = request.location;
    const unread = this.inputAt < this.inputEnd || this.held !== undefined;
    const keepAlive = request.keepAlive && core.keepalive_timeout.timeout > 0;
    const lingering =
      core.lingering_close === "always" || (core.lingering_close === "on" && (request.lingeringClose || unread));
    this.logRequest(request);
    worker.writing--;
    this.request = undefined;
    if (keepAlive) this.keepAlive(request);
    else {
      this.linger = lingering;
      if (lingering) this.lingerUntilMs = worker.ports.reactor.clock.now() + core.lingering_time;
      this.lingerTimeoutMs = core.lingering_timeout;
      this.state = DRAINING;
      this.armSend();
    }
    worker.releaseRequest(request);
  }
  private lingerTimeoutMs = 5000;

  private keepAlive(request: Request): void {
    const { core } = request.location;
    this.state = WAITING;
    const { timeout } = core.keepalive_timeout;
    const minimum = core.keepalive_min_timeout;
    if (core.tcp_nodelay && !this.noDelay) {
      this.noDelay = true;
      this.stream.setNoDelay(true);
    }
    this.keepAliveRestMs = 0;
    if (this.inputAt < this.inputEnd) return;
    let delay = timeout;
    if (minimum > 0 && timeout > minimum) {
      delay = minimum;
      this.keepAliveRestMs = timeout - minimum;
    }
    this.worker.timers.arm(this, this.worker.quiescing ? Math.min(delay, minimum > 0 ? minimum : DRAIN_MS) : delay);
  }

  private logRequest(request: Request): void {
    if (request.logged) return;
    request.logged = true;
    const handlers = request.location.logHandlers;
    for (let i = 0; i < handlers.length; i++) (handlers[i] as (request: Request) => void)(request);
  }

  // ---- the end of the connection

  private relinger(): void {
    const request = this.request;
    const now = this.worker.ports.reactor.clock.now();
    if (request !== undefined && this.lingerUntilMs === 0) {
      this.lingerUntilMs = now + request.location.core.lingering_time;
      this.lingerTimeoutMs = request.location.core.lingering_timeout;
    }
    const left = this.lingerUntilMs - now;
    if (left <= 0) {
      this.terminate(0);
      return;
    }
    this.worker.timers.arm(this, Math.min(left, this.lingerTimeoutMs));
  }

  private closeNow(): void {
    if (!this.linger || this.ended) {
      this.close();
      return;
    }
    this.linger = false;
    this.held = undefined;
    this.state = LINGERING;
    this.stream.shutdownWrite();
    this.stream.resumeReading();
    this.relinger();
  }

  /** The client has sent everything. */
  onEnd(): void {
    this.ended = true;
    switch (this.state) {
      case WAITING:
        if (this.held !== undefined) return;
        if (this.queue !== undefined) return;
        if (this.requests > 0) {
          const { log } = this.point.defaultServer.location;
          const message = `client ${this.remoteAddress} closed keepalive connection`;
          if (log.enabled("info")) log.write("info", message, { connection: this.number });
        } else this.logError("info", "client closed connection", undefined, "while waiting for request");
        this.close();
        return;
      case READING:
        this.logError(
          "info",
          "client prematurely closed connection",
          undefined,
          "while reading client request headers",
        );
        this.abandonHead(400);
        return;
      case BODY:
        this.logError("info", "client prematurely closed connection");
        this.terminate(400);
        return;
      case ACTIVE:
        if (this.looping) return;
        this.logError("info", "client prematurely closed connection");
        this.terminate(CLIENT_CLOSED);
        return;
      case CLOSED:
        return;
      case DRAINING:
        return;
      default:
        this.terminate(0);
    }
  }

  onError(errno: number): void {
    if (this.state === WAITING && errno === ECONNRESET) this.close();
    else this.failed(errno, "recv()");
  }

  private failed(errno: number, call: string): void {
    const level: Level = errno === ECONNRESET || errno === 32 || errno === ETIMEDOUT ? "info" : "alert";
    this.logError(level, `${call} failed`, errno);
    if (this.state === READING) this.abandonHead(400);
    else this.terminate(0);
  }

  onTimer(): void {
    const { clock } = this.worker.ports.reactor;
    if (this.queue !== undefined) {
      if (this.pausedUntilMs !== 0 && this.request !== undefined && this.request.limitRate > 0) {
        this.pausedUntilMs = 0;
        this.pump();
        this.flush();
        return;
      }
      this.logError("info", "client timed out", ETIMEDOUT);
      this.timedOut(408);
      return;
    }
    switch (this.state) {
      case WAITING:
        if (this.keepAliveRestMs > 0 && !this.worker.quiescing) {
          this.worker.timers.arm(this, this.keepAliveRestMs);
          this.keepAliveRestMs = 0;
          return;
        }
        if (this.requests === 0) this.logError("info", "client timed out", ETIMEDOUT, "while waiting for request");
        this.close();
        return;
      case READING:
        this.logError("info", "client timed out", ETIMEDOUT, "while reading client request headers");
        this.resetIfConfigured();
        this.abandonHead(408);
        return;
      case BODY:
        this.logError("info", "client timed out", ETIMEDOUT, "while reading client request body");
        this.endBodyTimedOut();
        return;
      case DISCARDING:
      case LINGERING:
        if (clock.now() >= 0) this.terminate(0);
        return;
      default:
        this.terminate(0);
    }
  }

  private endBodyTimedOut(): void {
    this.reader = undefined;
    this.timedOut(408);
  }

  private timedOut(status: number): void {
    this.resetIfConfigured();
    this.terminate(status);
  }

  private resetIfConfigured(): void {
    const location = this.request?.location ?? this.point.defaultServer.location;
    if (location.core.reset_timedout_connection) this.stream.setResetOnClose();
  }

  /** A head will not be completed: the attempt is logged, and the connection ends. */
  private abandonHead(status: number): void {
    const { partial } = this;
    if (partial !== undefined) {
      this.partial = undefined;
      partial.reset(this);
      partial.server = this.point.defaultServer;
      partial.location = this.point.defaultServer.location;
      partial.status = status;
      partial.uri = "";
      partial.method = 0;
      this.logRequest(partial);
      this.worker.releaseRequest(partial);
    }
    this.close();
  }

  /** Ends the connection at once; an active request is logged with this status if it has none. */
  terminate(status: number): void {
    if (this.state === CLOSED) return;
    const { request } = this;
    if (request !== undefined) {
      for (const chunk of this.queue ?? []) request.sentBytes -= chunk.end - chunk.start;
      if (status > 0 && (request.status === 0 || request.sentBytes === 0)) request.status = status;
      this.request = undefined;
      this.worker.writing--;
      this.logRequest(request);
      this.close();
      this.worker.releaseRequest(request);
      return;
    }
    if (this.state === READING) this.abandonHead(status === 0 ? 400 : status);
    else this.close();
  }

  /** Ends an idle connection, or lets one that quiesces bring a last request. */
  quiesce(): void {
    if (this.state === WAITING && this.requests === 0) {
      // A client that has just connected may be about to send its first request.
      this.worker.timers.arm(this, DRAIN_MS);
    } else if (this.idle) {
      const minimum = this.point.defaultServer.location.core.keepalive_min_timeout;
      this.worker.timers.arm(this, minimum > 0 ? minimum : DRAIN_MS);
    } else if (this.state === LINGERING) this.close();
  }

  private close(): void {
    if (this.state === CLOSED) return;
    this.state = CLOSED;
    this.queue = undefined;
    this.held = undefined;
    if (this.partial !== undefined) {
      this.worker.releaseRequest(this.partial);
      this.partial = undefined;
    }
    this.worker.timers.discard(this);
    this.stream.close();
    this.worker.forget(this);
  }

  /** What the error log says about this connection and its request. */
  logContext(request: Request | undefined, action?: string, errno?: number): LogContext {
    const context: { -readonly [K in keyof LogContext]: LogContext[K] } = {
      connection: this.number,
      client: this.remoteAddress,
      server: request === undefined ? this.point.name : request.server.name,
    };
    if (action !== undefined) context.action = action;
    if (errno !== undefined) context.errno = errno;
    if (request === undefined) return context;
    if (request.head.lineEnd > 0) context.request = request.requestLine;
    const { head } = request;
    const host = head.knownValue(0);
    if (host !== undefined) context.host = host;
    const referrer = head.knownValue(12);
    if (referrer !== undefined) context.referrer = referrer;
    return context;
  }

  logError(level: Level, message: string, errno?: number, action?: string): void {
    const { request } = this;
    const log = request === undefined ? this.point.defaultServer.location.log : request.location.log;
    if (log.enabled(level)) log.write(level, message, this.logContext(request, action, errno));
  }
}
const ENODATA = 61;
