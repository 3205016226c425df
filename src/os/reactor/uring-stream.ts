/**
 * A stream socket on io_uring: one receive stays with the kernel and completes for whatever arrives ("multishot"), into buffers
 * of the ring. `UringOutput` writes. What the kernel has of ours is remembered here:
 *
 * | field       | means                                                                                      |
 * |-------------|--------------------------------------------------------------------------------------------|
 * | receiving   | a receive is in the kernel; it ends by an error, an end, a cancellation or a lack of buffers   |
 * | stopping    | it was cancelled, because something arrived while reading is paused                            |
 * | held        | what arrived while reading was paused: copies, since the buffers belong to all streams          |
 * | endWatched  | instead of the receive a poll is in the kernel that tells of an end or an error                 |
 * | roomWatched | a poll is in the kernel that tells when there is room to write                                  |
 * | endTold, drained, failed, closed | as in `EpollStream`                                                        |
 */
import type { Bytes } from "../../base/bytes.ts";
import type { Memory, MemoryPiece } from "../../io/memory.ts";
import type { Endpoint, KeptMemory, Stream, StreamOwner, TcpInfo } from "../../io/stream.ts";
import { ECANCELED, EINTR, ENOBUFS, EPIPE } from "../errno.ts";
import { EPOLLERR, EPOLLHUP, EPOLLOUT, EPOLLRDHUP } from "../ffi/epoll.ts";
import { close } from "../ffi/files.ts";
import { IPPROTO_TCP, TCP_CORK, TCP_NODELAY } from "../ffi/sockets.ts";
import { CQE_BUFFER_SHIFT, CQE_MORE, CQE_SOCKET_NONEMPTY } from "../ffi/uring.ts";
import type { SocketOptions } from "../socket-options.ts";
import { survive } from "./survive.ts";
import { type OutputHost, type OutputOwner, UringOutput } from "./uring-output.ts";
import { BUFFER_BYTES } from "./uring-ring.ts";

/** Held pieces of one stream that are delivered in one turn; then the others have their turn. */
const PIECES_PER_TURN = 4;

/** The operations of a stream that the kernel can have. */
export const RECEIVE = 1;
export const WATCH_END = 2;
export const WATCH_ROOM = 3;
type Operation = typeof RECEIVE | typeof WATCH_END | typeof WATCH_ROOM;

/** What a stream needs of its reactor. */
export interface UringStreamHost extends OutputHost {
  /** Where the kernel puts what it receives. */
  readonly buffers: Memory;
  /** For pieces that were held; lent to the owner for one call. */
  readonly readBuffer: Memory;
  readonly socketOptions: SocketOptions;
  returnBuffer(number: number): void;
  /** Undefined when there is none to take its place. */
  keepBuffer(number: number): KeptMemory | undefined;
  /** `isOnce`: for what arrives next only, so that there is nothing to cancel behind it. */
  startReceiving(stream: UringStream, isOnce: boolean): void;
  startWatching(stream: UringStream, operation: Operation, events: number): void;
  cancel(stream: UringStream, operation: Operation): void;
  /** Whether the end has been completed and waits for its turn. */
  isEndQueued(stream: UringStream): boolean;
  /** Calls `continue` in the next turn, or in this one. */
  continueLater(stream: UringStream): void;
  /** Forgets the stream, so that no completion reaches it. */
  forget(stream: UringStream): void;
}

/** A connected (or connecting) socket. Made by the reactor only. */
export class UringStream implements Stream, OutputOwner {
  owner: StreamOwner;
  refusedCall = "";
  readonly remote: Endpoint;
  readonly fd: number;
  /** Where the reactor finds this stream; belongs to the reactor. */
  slot = -1;
  private readonly host: UringStreamHost;
  private readonly output: UringOutput;
  private connecting: boolean;
  private receiving = false;
  private stopping = false;
  /** The first receive of a client's connection completes once: many bring one request only, and are then closed. */
  private receivesOnce: boolean;
  /** The kernel had more than its last completion has told of. */
  private hasMore = false;
  /** The buffer that the owner is being lent; -1: none. */
  private lent = -1;
  private readPaused = false;
  private isReadResumed = false;
  private isQueued = false;
  private isWritable = false;
  private laterError = 0;
  private resetsOnClose = false;
  private held: Uint8Array[] | undefined = undefined;
  private endWatched = false;
  private roomWatched = false;
  private endTold = false;
  private drained = false;
  private failed = false;
  private closed = false;
  private knownLocal: Endpoint | undefined = undefined;

  constructor(host: UringStreamHost, fd: number, remote: Endpoint, owner: StreamOwner, connecting: boolean) {
    this.host = host;
    this.fd = fd;
    this.remote = remote;
    this.owner = owner;
    this.connecting = connecting;
    this.receivesOnce = !connecting;
    this.output = new UringOutput(host, fd, this);
  }

  get local(): Endpoint {
    this.knownLocal ??= this.closed ? { path: "" } : this.host.socketOptions.localEndpoint(this.fd);
    return this.knownLocal;
  }

  get isEnding(): boolean {
    // The end mostly completes in the same call as the bytes ahead of it.
    return this.endTold || this.drained || (this.hasMore && this.host.isEndQueued(this));
  }

  /** Hands the first operation to the kernel; the stream has its slot. */
  begin(): void {
    if (this.connecting) this.watchRoom();
    else this.receive();
  }

  /** A completion for this stream; the reactor has checked that it isn't a stale one. */
  onCompletion(operation: number, result: number, flags: number): void {
    if (operation === RECEIVE) this.onReceived(result, flags);
    else if (operation === WATCH_END) this.onEndWatched(result);
    else this.onRoom();
  }

  private onReceived(result: number, flags: number): void {
    if ((flags & CQE_MORE) === 0) {
      this.receiving = false;
      this.stopping = false;
    }
    if (result > 0) {
      this.hasMore = (flags & CQE_SOCKET_NONEMPTY) !== 0;
      const number = flags >>> CQE_BUFFER_SHIFT;
      const start = number * BUFFER_BYTES;
      let isKept = false;
      if (this.readPaused || this.held !== undefined) this.hold(start, start + result);
      else if (!this.failed) {
        this.output.isCongested = false;
        isKept = this.deliver(number, start, start + result);
      }
      if (!isKept) this.host.returnBuffer(number);
    } else if (result === 0) this.onDrained();
    else if (result !== -ENOBUFS && result !== -ECANCELED && result !== -EINTR && !this.failed) this.fail(-result);
    if (!this.receiving) this.receive();
  }

  keep(bytes: Bytes): KeptMemory | undefined {
    if (this.lent < 0 || bytes !== this.host.buffers.bytes) return undefined;
    const kept = this.host.keepBuffer(this.lent);
    if (kept !== undefined) this.lent = -1;
    return kept;
  }

  /** True when the owner has kept the buffer; otherwise it goes back, whatever has become of what is in it. */
  private deliver(number: number, start: number, end: number): boolean {
    this.lent = number;
    try {
      this.owner.onData(this.host.buffers, start, end);
    } catch (error) {
      this.survive(error);
    }
    const isKept = this.lent < 0;
    this.lent = -1;
    return isKept;
  }

  /** The owner has thrown this. */
  survive(error: unknown): void {
    survive(error, this.owner, this.closed);
  }

  /** From the cancellation on, the kernel's own buffer fills, and slows the peer. */
  private hold(start: number, end: number): void {
    this.held ??= [];
    this.held.push(this.host.buffers.bytes.slice(start, end));
    if (!this.receiving || this.stopping) return;
    this.stopping = true;
    this.host.cancel(this, RECEIVE);
  }

  private onDrained(): void {
    this.drained = true;
    // Behind what is held `deliverHeld` tells of it.
    if (this.failed || (this.readPaused ? this.endTold : this.held !== undefined)) return;
    this.endTold = true;
    this.owner.onEnd();
  }

  private onEndWatched(events: number): void {
    this.endWatched = false;
    if (!this.isUsable || events < 0) return;
    if ((events & EPOLLERR) !== 0) {
      const error = this.host.socketOptions.takeError(this.fd);
      if (error !== 0) this.fail(error);
      return;
    }
    if (this.readPaused && !this.endTold) {
      this.endTold = true;
      this.owner.onEnd();
    }
    // An error may follow the end, but not a hang-up.
    if ((events & EPOLLHUP) === 0) this.receive();
  }

  private onRoom(): void {
    this.roomWatched = false;
    if (!this.isUsable) return;
    if (this.connecting) this.finishConnect();
    else if (this.output.onRoom()) this.owner.onWritable();
  }

  writableLater(): void {
    this.isWritable = true;
    this.queue();
  }

  /** The connect has an outcome. */
  private finishConnect(): void {
    this.connecting = false;
    const error = this.host.socketOptions.takeError(this.fd);
    if (error !== 0) {
      this.fail(error);
      return;
    }
    this.receive();
    this.owner.onWritable();
  }

  failLater(error: number): void {
    this.laterError = error;
    this.queue();
  }

  private get isUsable(): boolean {
    return !this.failed && !this.closed;
  }

  private fail(error: number): void {
    this.failed = true;
    this.held = undefined;
    this.owner.onError(error);
  }

  /** Has the kernel receive, or tell of ends and errors where nothing may arrive. */
  private receive(): void {
    if (this.receiving || this.connecting || !this.isUsable) return;
    if (this.drained || (this.readPaused && this.held !== undefined)) {
      if (!this.endWatched) this.watchEnd();
    } else if (this.held === undefined) {
      this.receiving = true;
      this.host.startReceiving(this, this.receivesOnce);
      this.receivesOnce = false;
    }
  }

  private watchEnd(): void {
    this.endWatched = true;
    // Errors and hang-ups are told in any case.
    this.host.startWatching(this, WATCH_END, this.endTold ? 0 : EPOLLRDHUP);
  }

  watchRoom(): void {
    if (this.roomWatched) return;
    this.roomWatched = true;
    this.host.startWatching(this, WATCH_ROOM, EPOLLOUT);
  }

  /** What waited for a turn of its own: a failure, room to write, pieces that were held. */
  continue(): void {
    this.isQueued = false;
    if (!this.isUsable) return;
    if (this.laterError !== 0) {
      this.fail(this.laterError);
      return;
    }
    if (this.isWritable) {
      this.isWritable = false;
      this.owner.onWritable();
    }
    if (this.isReadResumed) {
      this.isReadResumed = false;
      this.deliverHeld();
    }
  }

  private deliverHeld(): void {
    for (let pieces = 0; pieces < PIECES_PER_TURN; pieces++) {
      if (this.readPaused || !this.isUsable) return;
      const piece = this.held?.shift();
      if (piece === undefined) break;
      const { readBuffer } = this.host;
      readBuffer.bytes.set(piece);
      this.owner.onData(readBuffer, 0, piece.length);
    }
    if (this.readPaused || !this.isUsable) return;
    if (this.held !== undefined && this.held.length > 0) {
      this.queueReading();
      return;
    }
    this.held = undefined;
    if (this.drained) {
      this.endTold = true;
      this.owner.onEnd();
    } else this.receive();
  }

  private queueReading(): void {
    this.isReadResumed = true;
    this.queue();
  }

  private queue(): void {
    if (this.isQueued) return;
    this.isQueued = true;
    this.host.continueLater(this);
  }

  write(memory: Memory, offset: number, sizeBytes: number, more: boolean): number {
    if (!this.isUsable) return -EPIPE;
    if (this.connecting) return 0;
    const taken = this.output.write(memory, offset, sizeBytes, more);
    if (taken < 0) this.failed = true;
    return taken;
  }

  writeAll(pieces: readonly MemoryPiece[]): number {
    if (!this.isUsable) return -EPIPE;
    if (this.connecting) return 0;
    const taken = this.output.writeAll(pieces);
    if (taken < 0) this.failed = true;
    return taken;
  }

  sendFile(fd: number, position: number, sizeBytes: number): number {
    if (!this.isUsable) return -EPIPE;
    if (this.connecting) return 0;
    const taken = this.output.sendFile(fd, position, sizeBytes);
    if (taken < 0) this.failed = true;
    return taken;
  }

  pauseReading(): void {
    // The receive stays in the kernel until something arrives: most pauses end before.
    this.readPaused = true;
  }

  resumeReading(): void {
    if (!this.readPaused) return;
    this.readPaused = false;
    if (!this.isUsable) return;
    if (this.held !== undefined || this.drained) this.queueReading();
    else this.receive();
  }

  shutdownWrite(): void {
    if (!this.closed) this.output.shutdown();
  }

  setNoDelay(on: boolean): void {
    if (!this.closed) this.host.socketOptions.setInt(this.fd, IPPROTO_TCP, TCP_NODELAY, on ? 1 : 0);
  }

  setCork(on: boolean): void {
    if (!this.closed) this.host.socketOptions.setInt(this.fd, IPPROTO_TCP, TCP_CORK, on ? 1 : 0);
  }

  tcpInfo(): TcpInfo | undefined {
    return this.closed ? undefined : this.host.socketOptions.tcpInfo(this.fd);
  }

  setResetOnClose(): void {
    if (this.closed) return;
    this.resetsOnClose = true;
    this.host.socketOptions.setResetOnClose(this.fd);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.held = undefined;
    if (this.slot < 0) {
      if (this.fd >= 0) close(this.fd);
      return;
    }
    // The kernel's operations hold the socket open beyond close(2).
    if (this.receiving) this.host.cancel(this, RECEIVE);
    if (this.endWatched) this.host.cancel(this, WATCH_END);
    if (this.roomWatched) this.host.cancel(this, WATCH_ROOM);
    this.host.forget(this);
    this.output.close(!this.failed && !this.resetsOnClose);
  }
}
