/**
 * The sending half of a client's connection: answers are composed in the worker's output memory and offered to the socket;
 * what it does not take waits in a queue, in order, under `send_timeout` and `limit_rate`. A base class and not a part,
 * so that an idle connection is one object. Counterpart in nginx: ngx_http_write_filter_module.c.
 */
import { type Bytes, concatBytes } from "../base/bytes.ts";
import type { Stream } from "../io/stream.ts";
import { Timed } from "../net/timers.ts";
import type { Chunk } from "./body.ts";
import type { ListeningPoint } from "./location.ts";
import type { Output } from "./output.ts";
import type { Request } from "./request.ts";
import type { Worker } from "./worker.ts";

/** Files up to this size are read into the output memory: cheaper than sendfile, and one packet with the header. */
const SMALL_FILE_BYTES = 16 * 1024;
/** Divides the size of the output memory, and is a multiple of what any file system asks for. */
const BLOCK_BYTES = 4096;
const ENODATA = 61;

export abstract class ConnectionOutput extends Timed {
  readonly worker: Worker;
  readonly stream: Stream;
  readonly point: ListeningPoint;
  /** The request that is being answered. */
  request: Request | undefined = undefined;
  /** Output that the socket has not taken. */
  protected queue: Chunk[] | undefined = undefined;
  /** What was composed and is not worth a packet yet: `postpone_output`. */
  protected withheld: Bytes | undefined = undefined;

  constructor(worker: Worker, stream: Stream, point: ListeningPoint) {
    super();
    this.worker = worker;
    this.stream = stream;
    this.point = point;
  }

  /** Nothing may be sent any more. */
  protected abstract get closed(): boolean;
  /** The queue is empty again. */
  protected abstract drained(): void;
  /** A system call has failed; the connection ends. */
  protected abstract failed(errno: number, call: string): void;
  /** The file of the active request can't be sent to its end; the connection ends. */
  abstract fileFailed(request: Request, result: number): void;

  /** True when what is sent now would wait: bytes are kept, so lent ones have to be copied before. */
  isBlocked(request: Request): boolean {
    if (request.memory !== undefined) return false;
    return this.keeps(request.main) || request.chain?.holds === true;
  }

  /** True when bytes given to `emit` are kept. */
  keeps(main: Request): boolean {
    return this.queue !== undefined || main.limitRate > 0;
  }

  /** Nothing more should be sent now. */
  get full(): boolean {
    return this.queue !== undefined || this.closed;
  }

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
    if (size === 0 || this.closed) return;
    request.sentBytes += size;
    if (this.queue !== undefined || request.limitRate > 0) this.enqueue(chunk);
    else if (chunk.bytes !== undefined) this.emitBytes(chunk.bytes, chunk);
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
        // The bytes may be lent.
        this.worker.guard.claim(chunk.end - at);
        const rest = bytes.slice(at, chunk.end);
        this.enqueue({ bytes: rest, fd: -1, start: 0, end: rest.length });
        return;
      }
      if (this.closed) return;
    }
  }

  private emitFile(request: Request, chunk: Chunk): void {
    const size = chunk.end - chunk.start;
    if (size <= SMALL_FILE_BYTES) {
      const output = this.outputFor(size);
      if (this.closed) return;
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
    if (this.closed) return;
    this.enqueue(chunk);
    this.pump();
  }

  /** Less than so many composed bytes wait until more comes. */
  protected withhold(leastBytes: number): void {
    const { worker } = this;
    const { output } = worker;
    if (worker.outputOwner !== this || this.queue !== undefined || this.closed || output.used >= leastBytes) {
      this.flushOutput(false);
      return;
    }
    if (output.used === 0) return;
    this.withheld = new Uint8Array(output.bytes.subarray(0, output.used));
    output.used = 0;
    worker.outputOwner = undefined;
  }

  /** Puts what was withheld into the output memory, which is empty and belongs to this connection now. */
  restoreWithheld(output: Output): void {
    const { withheld } = this;
    if (withheld === undefined) return;
    this.withheld = undefined;
    output.copy(withheld, 0, withheld.length);
  }

  /** What was composed before goes the way of the queue. */
  queueOutput(): void {
    if (this.withheld !== undefined) this.worker.claimOutput(this);
    if (this.worker.outputOwner === this && this.worker.output.used > 0) this.queueComposed(0);
  }

  /** Puts a piece behind everything that was composed before. */
  private enqueue(chunk: Chunk): void {
    this.queueOutput();
    this.push(chunk);
  }

  private push(chunk: Chunk): void {
    if (this.queue === undefined) this.queue = [chunk];
    else this.queue.push(chunk);
  }

  /** Moves what was composed, from an offset on, into memory of its own and into the queue. */
  private queueComposed(from: number): void {
    const { output, guard } = this.worker;
    guard.claim(output.used - from);
    const bytes = new Uint8Array(output.used - from);
    bytes.set(output.bytes.subarray(from, output.used));
    output.used = 0;
    this.push({ bytes, fd: -1, start: 0, end: bytes.length });
  }

  /** Offers the composed bytes to the socket; what it doesn't take goes into the queue. */
  protected flushOutput(more: boolean): void {
    const { worker } = this;
    const { output } = worker;
    if (worker.outputOwner !== this || output.used === 0) return;
    if (this.closed) {
      // What was composed for a client that has gone must not reach the next one.
      output.used = 0;
      return;
    }
    if (this.queue !== undefined) {
      this.queueComposed(0);
      return;
    }
    const taken = this.stream.write(output.memory, 0, output.used, more);
    if (taken === output.used) {
      output.used = 0;
      return;
    }
    if (taken < 0) {
      output.used = 0;
      this.failed(-taken, "writev()");
      return;
    }
    this.queueComposed(taken);
    this.armSend();
  }

  /** Takes everything out of the queue, which holds bytes only; undefined when it is empty. */
  protected takeQueue(): Bytes | undefined {
    const { queue } = this;
    if (queue === undefined) return undefined;
    this.queue = undefined;
    return concatBytes(queue.map(({ bytes, start, end }) => (bytes as Bytes).subarray(start, end)));
  }

  /** Somebody else needs the output memory. */
  flushComposed(): void {
    this.flushOutput(false);
  }

  protected armSend(): void {
    const location = this.request?.location ?? this.point.defaultServer.location;
    this.worker.timers.arm(this, location.core.send_timeout);
  }

  /** Sends from the queue until the socket is full, the rate is used up or nothing is left. */
  protected pump(): void {
    const queue = this.queue;
    if (queue === undefined) return;
    const { request } = this;
    let budget = Number.POSITIVE_INFINITY;
    if (request !== undefined && request.limitRate > 0) {
      if (request.pausedUntilMs > this.worker.ports.reactor.clock.now()) return;
      budget = this.allowance(request);
      if (budget <= 0) return;
    }
    const largest = request?.location.core.sendfile_max_chunk ?? 0;
    if (largest > 0 && largest < budget) budget = largest;
    let sent = 0;
    while (queue.length > 0 && sent < budget) {
      const chunk = queue[0] as Chunk;
      const size = Math.min(chunk.end - chunk.start, budget - sent);
      const taken = this.offer(chunk, size, queue.length > 1);
      if (taken < 0) return;
      sent += taken;
      if (chunk.start + taken === chunk.end) queue.shift();
      else queue[0] = { ...chunk, start: chunk.start + taken };
      if (taken < size && taken < this.worker.output.size) {
        this.armSend();
        return;
      }
    }
    if (queue.length > 0) {
      this.sendLater(request, sent);
      return;
    }
    this.queue = undefined;
    this.stopTimer();
    this.drained();
  }

  /** Offers the beginning of a chunk, no more than the output memory holds unless by sendfile. Bytes taken; -1 when the connection has ended. */
  private offer(chunk: Chunk, size: number, more: boolean): number {
    const { worker, request } = this;
    const isFile = chunk.bytes === undefined;
    const useSendfile = isFile && (request?.location.core.sendfile ?? true) && !worker.files.isDirect(chunk.fd);
    const taken = useSendfile
      ? this.stream.sendFile(chunk.fd, chunk.start, size)
      : this.offerCopy(chunk, Math.min(size, worker.output.size), more || size > worker.output.size);
    if (taken >= 0 || this.closed) return taken;
    if (taken === -ENODATA && request !== undefined) this.fileFailed(request, 0);
    else this.failed(-taken, useSendfile ? "sendfile()" : "writev()");
    return -1;
  }

  private offerCopy(chunk: Chunk, size: number, more: boolean): number {
    const { worker } = this;
    const { output, ports } = worker;
    // The memory may hold another connection's answer.
    if (output.used > 0) worker.outputOwner?.flushComposed();
    if (chunk.bytes !== undefined) output.bytes.set(chunk.bytes.subarray(chunk.start, chunk.start + size), 0);
    else {
      // What is read past the kernel's cache is read in whole blocks.
      const wanted = worker.files.isDirect(chunk.fd) ? Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES : size;
      const read = ports.files.read(chunk.fd, output.memory, 0, wanted, chunk.start);
      if (read <= 0) return read === 0 ? -ENODATA : read;
      size = Math.min(read, size);
    }
    return this.stream.write(output.memory, 0, size, more);
  }

  /** Bytes that limit_rate lets pass now; arms the timer for the rest when there are none. nginx's formula. */
  private allowance(request: Request): number {
    const rate = request.limitRate;
    const { clock } = this.worker.ports.reactor;
    const seconds = Math.floor(clock.wall() / 1000) - Math.floor(request.startWallMs / 1000) + 1;
    const sent = request.sentBytes - this.queuedBytes();
    const limit = rate * seconds - (sent - Math.max(0, request.limitRateAfter));
    if (limit > 0) return limit;
    this.pauseSending(request, (-limit * 1000) / rate + 1);
    return 0;
  }

  protected queuedBytes(): number {
    let size = 0;
    for (const chunk of this.queue ?? []) size += chunk.end - chunk.start;
    return size;
  }

  private pauseSending(request: Request, delayMs: number): void {
    request.pausedUntilMs = this.worker.ports.reactor.clock.now() + delayMs;
    this.worker.timers.arm(this, delayMs);
  }

  /** The budget of this turn is used up. What `limit_rate_after` lets through takes no time. */
  private sendLater(request: Request | undefined, sent: number): void {
    if (request !== undefined && request.limitRate > 0) {
      const beyond = request.sentBytes - this.queuedBytes() - Math.max(0, request.limitRateAfter);
      const counted = Math.min(sent, Math.max(0, beyond));
      this.pauseSending(request, Math.max(1, (counted * 1000) / request.limitRate));
      return;
    }
    this.armSend();
    this.worker.ports.reactor.defer(() => this.continueSending());
  }

  /** There is room again, or it is time again. */
  protected abstract continueSending(): void;
}
