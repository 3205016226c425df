/**
 * A request's body that is passed on to the upstream as it comes, without being read whole before. Counterpart in nginx:
 * ngx_http_read_unbuffered_request_body and ngx_http_proxy_body_output_filter.
 *
 * Bounded by one read: while the upstream has not taken what has come, the client is not read.
 */
import type { Bytes } from "../base/bytes.ts";
import type { Memory } from "../io/memory.ts";
import type { Stream } from "../io/stream.ts";
import type { BodyReader } from "./body.ts";
import { BodyBuffer } from "./body-buffer.ts";
import { type BodyMemory, NO_BODY_MEMORY } from "./body-memory.ts";
import { writeRecords } from "./framed-body.ts";
import type { Output } from "./output.ts";
import type { Request } from "./request.ts";
import type { BodyFraming } from "./upstream-protocol.ts";

/** Room for the size of a chunk, the line ends around it and the last chunk. */
const FRAME_BYTES = 32;
const LAST_CHUNK = "0\r\n\r\n";

/** Who sends the request. */
export interface UploadUser {
  countSent(sizeBytes: number): void;
  /** The upstream takes no more for the moment; or it does again, and it is the client that is awaited. */
  onUploadBlocked(blocked: boolean): void;
  /** The upstream has everything. */
  onUploadDone(): void;
  /** The upstream's connection has failed. */
  onUploadError(errno: number): void;
  /** The body can't be had: the status to answer. */
  onUploadRefused(status: number): void;
}

export class Upload implements BodyReader {
  readonly unbuffered = true;
  /** Its length is not known: it is sent in chunks. */
  chunked = false;
  /** It goes in records of the upstream's protocol. */
  framing: BodyFraming | undefined = undefined;
  private readonly request: Request;
  private readonly user: UploadUser;
  /** The connection that the head of the request has been written to. */
  private stream: Stream | undefined = undefined;
  /** What has come and was not sent, `pending.bytes[pendingStart, pendingEnd)`; with a stream, as it goes to the upstream. */
  private pending: Memory = NO_BODY_MEMORY;
  private pendingStart = 0;
  private pendingEnd = 0;
  private totalBytes = 0;
  /** What one read has brought. */
  private readonly lent: Bytes[] = [];
  private lentBytes = 0;
  private ended = false;
  private isDone = false;
  private errno = 0;

  constructor(request: Request, user: UploadUser) {
    this.request = request;
    this.user = user;
  }

  /** Begins to read: 0, or the status to answer. What is there already is looked at within this call. */
  begin(): number {
    const { request } = this;
    let refused = 0;
    request.connection.readBody(request, {
      onBody: (bytes, start, end) => this.onBody(bytes, start, end),
      onBodyEnd: (status) => {
        refused = status;
        this.ended = true;
      },
    });
    if (refused !== 0) return refused;
    if (this.ended) request.contentLength = this.totalBytes;
    else request.bodyReader = this;
    this.chunked = request.chunkedBody && !this.ended;
    return 0;
  }

  /** A body that was there at once and has room in memory, as one that was read whole: it can be repeated. Undefined when it was not. */
  takeWhole(): BodyBuffer | undefined {
    const { request } = this;
    if (!this.ended || this.waitingBytes > request.location.core.client_body_buffer_size) return undefined;
    const body = new BodyBuffer(request, { onBody: () => {} });
    if (body.onBody(this.pending.bytes, this.pendingStart, this.pendingEnd) !== 0) return undefined;
    body.complete();
    this.forget();
    return body;
  }

  onBody(bytes: Bytes, start: number, end: number): number {
    const size = end - start;
    this.totalBytes += size;
    if (this.stream === undefined) this.keep(bytes, start, end);
    else {
      this.lent.push(bytes.subarray(start, end));
      this.lentBytes += size;
    }
    return 0;
  }

  onBodyPart(): void {
    if (this.stream === undefined) return;
    this.sendLent();
    if (this.errno !== 0) this.report();
  }

  onBodyEnd(status: number): void {
    if (status !== 0) {
      this.user.onUploadRefused(status);
      return;
    }
    this.ended = true;
    if (this.stream === undefined) return;
    this.sendLent();
    this.report();
  }

  /** Sends what one read has brought, as one chunk. */
  private sendLent(): void {
    const output = this.request.connection.worker.scratchFor(this.lentBytes + this.frameBytes(this.lentBytes));
    output.used = 0;
    this.frame(output, this.lent, this.lentBytes);
    this.lent.length = 0;
    this.lentBytes = 0;
    this.write(output);
  }

  private frameBytes(sizeBytes: number): number {
    return this.framing === undefined ? FRAME_BYTES : this.framing.overheadBytes(sizeBytes);
  }

  /** Appends these pieces of the body, and its end when it is there, as they go to the upstream. */
  private frame(output: Output, pieces: readonly Bytes[], sizeBytes: number): void {
    const { framing, ended } = this;
    if (framing !== undefined) {
      for (const piece of pieces) writeRecords(output, framing, piece, 0, piece.length);
      if (ended) framing.end(output);
      return;
    }
    if (sizeBytes > 0) {
      if (this.chunked) output.text(`${sizeBytes.toString(16)}\r\n`);
      for (const piece of pieces) output.copy(piece, 0, piece.length);
      if (this.chunked) output.text("\r\n");
    }
    if (this.chunked && ended) output.text(LAST_CHUNK);
  }

  /** Bytes that `open` needs behind the head of the request. */
  get pendingSize(): number {
    return this.waitingBytes + this.frameBytes(this.waitingBytes);
  }

  private get waitingBytes(): number {
    return this.pendingEnd - this.pendingStart;
  }

  /** Sends the head that was composed and what there is of the body behind it. */
  open(output: Output, stream: Stream): void {
    const { waitingBytes } = this;
    this.frame(output, [this.pending.bytes.subarray(this.pendingStart, this.pendingEnd)], waitingBytes);
    this.forget();
    this.stream = stream;
    if (this.request.location.core.tcp_nodelay) stream.setNoDelay(true);
    this.write(output);
    this.report();
  }

  /** The upstream takes more. */
  onWritable(): void {
    if (this.waitingBytes > 0)
      this.pendingStart += Math.max(0, this.offer(this.pending, this.pendingStart, this.waitingBytes));
    if (this.waitingBytes === 0) this.forget();
    this.report();
  }

  /** The exchange is over: what is still to come of the body is no use to anybody. */
  close(): void {
    this.stream = undefined;
    this.forget();
    if (!this.ended) this.request.connection.abandonBody(this.request);
  }

  /** Sends what was composed; what is not taken waits. */
  private write(output: Output): void {
    if (output.used === 0) return;
    // A reactor may have had more in hand when it was told to pause.
    const taken = this.waitingBytes > 0 ? 0 : this.offer(output.memory, 0, output.used);
    if (taken >= 0 && taken < output.used) this.keep(output.bytes, taken, output.used);
  }

  /** Bytes that the upstream has taken; -1 when it has failed. */
  private offer(memory: Memory, start: number, size: number): number {
    const taken = (this.stream as Stream).write(memory, start, size, false);
    if (taken >= 0) {
      this.user.countSent(taken);
      return taken;
    }
    this.errno = -taken;
    return -1;
  }

  private keep(bytes: Bytes, start: number, end: number): void {
    const size = end - start;
    if (this.pendingEnd + size > this.pending.bytes.length) {
      const { waitingBytes, pool } = this;
      const larger = pool.take(waitingBytes + size);
      larger.bytes.set(this.pending.bytes.subarray(this.pendingStart, this.pendingEnd), 0);
      pool.give(this.pending);
      this.pending = larger;
      this.pendingStart = 0;
      this.pendingEnd = waitingBytes;
    }
    this.pending.bytes.set(bytes.subarray(start, end), this.pendingEnd);
    this.pendingEnd += size;
    this.request.connection.pauseBody();
    if (this.stream !== undefined) this.user.onUploadBlocked(true);
  }

  private get pool(): BodyMemory {
    return this.request.connection.worker.bodyMemory;
  }

  /** Nothing waits any more. */
  private forget(): void {
    this.pool.give(this.pending);
    this.pending = NO_BODY_MEMORY;
    this.pendingStart = 0;
    this.pendingEnd = 0;
  }

  /** What follows from what was sent. */
  private report(): void {
    if (this.errno !== 0) this.user.onUploadError(this.errno);
    else if (this.waitingBytes > 0 || this.isDone) return;
    else if (this.ended) {
      this.isDone = true;
      this.user.onUploadDone();
    } else {
      this.user.onUploadBlocked(false);
      this.request.connection.resumeBody();
    }
  }
}
