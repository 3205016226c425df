/**
 * A stream socket under edge-triggered epoll. Its readiness is remembered here, as in nginx's `ev->ready`:
 *
 * | field        | means                                                                                     |
 * |--------------|-------------------------------------------------------------------------------------------|
 * | readable     | the kernel may hold data or an end that we haven't read; no event will say so again         |
 * | halfClosed   | RDHUP, HUP or ERR was seen: read on behind a short read, until 0 or an error comes           |
 * | endTold      | the owner knows of the end, but data may still wait in the kernel (told while paused)       |
 * | drained      | a read has returned 0: nothing will ever come                                               |
 * | writeBlocked | a write took less than it was offered: OUT has to be passed on                              |
 */
import type { Memory, MemoryPiece } from "../../io/memory.ts";
import type { Endpoint, Stream, StreamOwner, TcpInfo } from "../../io/stream.ts";
import { EAGAIN, EINTR, ENODATA, EPIPE } from "../errno.ts";
import { EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDHUP } from "../ffi/epoll.ts";
import { close } from "../ffi/files.ts";
import { errno } from "../ffi/native.ts";
import {
  IPPROTO_TCP,
  MSG_MORE,
  MSG_NOSIGNAL,
  recv,
  SHUT_WR,
  send,
  sendfile,
  shutdown,
  TCP_CORK,
  TCP_NODELAY,
} from "../ffi/sockets.ts";
import type { SocketOptions } from "../socket-options.ts";
import { type GatheredSend, sizeOf } from "./gathered-send.ts";
import { survive } from "./survive.ts";

/** Reads of one stream in one turn; then the others have their turn. */
const READS_PER_TURN = 4;
const READ_EVENTS = EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP;

/** What a stream needs of its reactor. */
export interface StreamHost {
  /** Every stream reads into this; lent to the owner for one call. */
  readonly readBuffer: Memory;
  readonly socketOptions: SocketOptions;
  /** Eight bytes for sendfile's offset. */
  readonly gathered: GatheredSend;
  readonly fileOffset: { readonly address: number; readonly word: BigInt64Array };
  /** Calls `continueReading` in the next turn. */
  readLater(stream: EpollStream): void;
  /** Forgets the stream: events that are already fetched must not reach it. */
  forget(stream: EpollStream): void;
}

/** A connected (or connecting) socket. Made by the reactor only. */
export class EpollStream implements Stream {
  owner: StreamOwner;
  refusedCall = "";
  readonly remote: Endpoint;
  readonly fd: number;
  /** Where the reactor finds this stream; belongs to the reactor. */
  slot = -1;
  private readonly host: StreamHost;
  private connecting: boolean;
  private readable = false;
  private readPaused = false;
  private readQueued = false;
  private halfClosed = false;
  private endTold = false;
  private drained = false;
  private writeBlocked = false;
  private failed = false;
  private closed = false;
  private knownLocal: Endpoint | undefined = undefined;

  constructor(host: StreamHost, fd: number, remote: Endpoint, owner: StreamOwner, connecting: boolean) {
    this.host = host;
    this.fd = fd;
    this.remote = remote;
    this.owner = owner;
    this.connecting = connecting;
  }

  get local(): Endpoint {
    this.knownLocal ??= this.closed ? { path: "" } : this.host.socketOptions.localEndpoint(this.fd);
    return this.knownLocal;
  }

  get isEnding(): boolean {
    return this.halfClosed || this.drained;
  }

  /** An epoll event for this stream; the reactor has checked that it isn't a stale one. */
  onEvents(events: number): void {
    if (this.connecting) {
      if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) === 0) return;
      this.finishConnect();
    }
    if ((events & READ_EVENTS) !== 0 && !this.failed && !this.closed) this.onReadable(events);
    if (this.writeBlocked && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) !== 0 && !this.failed && !this.closed) {
      this.writeBlocked = false;
      this.owner.onWritable();
    }
  }

  /** The owner has thrown this. */
  survive(error: unknown): void {
    survive(error, this.owner, this.closed);
  }

  /** The connect has an outcome: at once (unix sockets, a refused route) or by an event. */
  finishConnect(): void {
    this.connecting = false;
    const error = this.host.socketOptions.takeError(this.fd);
    if (error !== 0) this.fail(error);
    else this.owner.onWritable();
  }

  /** Tells the owner of an error that didn't come by an event. */
  failLater(error: number): void {
    if (!this.closed && !this.failed) this.fail(error);
  }

  private onReadable(events: number): void {
    if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) !== 0) this.halfClosed = true;
    if (this.drained || this.readPaused) {
      if ((events & EPOLLERR) !== 0) {
        const error = this.host.socketOptions.takeError(this.fd);
        if (error !== 0) {
          this.fail(error);
          return;
        }
      }
      if (this.drained) return;
      this.readable = true;
      if (this.halfClosed && !this.endTold) {
        this.endTold = true;
        this.owner.onEnd();
      }
      return;
    }
    this.readable = true;
    this.readAvailable();
  }

  /** Continues in a later turn what READS_PER_TURN or a pause has left. */
  continueReading(): void {
    this.readQueued = false;
    if (this.readable && !this.readPaused && !this.failed && !this.closed) this.readAvailable();
  }

  private readAvailable(): void {
    const buffer = this.host.readBuffer;
    for (let reads = 0; reads < READS_PER_TURN; reads++) {
      const size = recv(this.fd, buffer.address, buffer.bytes.length, 0);
      if (size > 0) {
        // A short read has emptied the socket: what comes later brings an event of its own. Asking for EAGAIN is a wasted call.
        if (size < buffer.bytes.length && !this.halfClosed) this.readable = false;
        this.owner.onData(buffer, 0, size);
        if (!this.readable || this.readPaused || this.failed || this.closed) return;
      } else if (size === 0) {
        this.readable = false;
        this.drained = true;
        this.endTold = true;
        this.owner.onEnd();
        return;
      } else {
        const error = errno();
        if (error === EINTR) continue;
        this.readable = false;
        if (error !== EAGAIN) this.fail(error);
        return;
      }
    }
    this.queueReading();
  }

  private queueReading(): void {
    if (this.readQueued) return;
    this.readQueued = true;
    this.host.readLater(this);
  }

  private fail(error: number): void {
    this.failed = true;
    this.owner.onError(error);
  }

  /** There is one buffer for all. */
  keep(): undefined {
    return undefined;
  }

  write(memory: Memory, offset: number, sizeBytes: number, more: boolean): number {
    if (this.failed || this.closed) return -EPIPE;
    if (this.connecting) return 0;
    const flags = more ? MSG_NOSIGNAL | MSG_MORE : MSG_NOSIGNAL;
    for (;;) {
      const size = send(this.fd, memory.address + offset, sizeBytes, flags);
      if (size >= 0) {
        if (size < sizeBytes) this.writeBlocked = true;
        return size;
      }
      const error = errno();
      if (error === EAGAIN) {
        this.writeBlocked = true;
        return 0;
      }
      if (error !== EINTR) {
        this.failed = true;
        return -error;
      }
    }
  }

  writeAll(pieces: readonly MemoryPiece[]): number {
    if (this.failed || this.closed) return -EPIPE;
    if (this.connecting) return 0;
    const taken = this.host.gathered.send(this.fd, pieces);
    if (taken < 0) this.failed = true;
    else if (taken < sizeOf(pieces)) this.writeBlocked = true;
    return taken;
  }

  sendFile(fd: number, position: number, sizeBytes: number): number {
    if (this.failed || this.closed) return -EPIPE;
    if (this.connecting) return 0;
    const { address, word } = this.host.fileOffset;
    let taken = 0;
    while (taken < sizeBytes) {
      word[0] = BigInt(position + taken);
      const size = sendfile(this.fd, fd, address, sizeBytes - taken);
      // Less than asked doesn't mean "full" here (sendfile may be interrupted): only EAGAIN does.
      if (size > 0) taken += size;
      else if (size === 0) {
        if (taken > 0) break;
        this.failed = true;
        return -ENODATA;
      } else {
        const error = errno();
        if (error === EAGAIN) {
          this.writeBlocked = true;
          break;
        }
        if (error === EINTR) continue;
        this.failed = true;
        return -error;
      }
    }
    return taken;
  }

  pauseReading(): void {
    this.readPaused = true;
  }

  resumeReading(): void {
    if (!this.readPaused) return;
    this.readPaused = false;
    if (this.readable && !this.failed && !this.closed) this.queueReading();
  }

  shutdownWrite(): void {
    if (!this.closed) shutdown(this.fd, SHUT_WR);
  }

  setNoDelay(on: boolean): void {
    if (!this.closed) this.host.socketOptions.setInt(this.fd, IPPROTO_TCP, TCP_NODELAY, on ? 1 : 0);
  }

  setCork(on: boolean): void {
    if (!this.closed) this.host.socketOptions.setInt(this.fd, IPPROTO_TCP, TCP_CORK, on ? 1 : 0);
  }

  setResetOnClose(): void {
    if (!this.closed) this.host.socketOptions.setResetOnClose(this.fd);
  }

  tcpInfo(): TcpInfo | undefined {
    return this.closed ? undefined : this.host.socketOptions.tcpInfo(this.fd);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.host.forget(this);
    if (this.fd >= 0) close(this.fd);
  }
}
