/**
 * Accepts on one listening socket by a few operations that wait in the kernel. Each takes one connection and is renewed by the
 * next call: it then stands behind those of other workers, so that all get their share. (One "multishot" operation stays
 * where it is: the worker that came first would take every connection, however busy it is.) nginx: ngx_event_accept.
 */
import { Interner } from "../../base/interner.ts";
import type { Memory } from "../../io/memory.ts";
import type { AcceptOptions, Acceptor } from "../../io/reactor.ts";
import type { Endpoint, Stream } from "../../io/stream.ts";
import { EAGAIN, ECANCELED, ECONNABORTED, EINTR } from "../errno.ts";
import { errno } from "../ffi/native.ts";
import { accept4, SOCK_CLOEXEC, SOCK_NONBLOCK } from "../ffi/sockets.ts";
import { allocateMemory } from "../memory.ts";
import { type CopyIp, decodeEndpoint, SOCKADDR_BYTES } from "../sockaddr.ts";
import { ACCEPT_PAUSE_MS } from "./epoll-acceptor.ts";

/** Operations in the kernel: so many connections of one listener are taken in one turn. */
export const ACCEPTS = 4;
/** Of the memory of one operation: the length of its address in the first word, the address from byte 8. */
const ACCEPT_BYTES = 128;
/** Connections that are taken when accepting ends. */
const LAST_ACCEPTS = 512;

/** What an acceptor needs of its reactor. */
export interface UringAcceptorHost {
  adopt(fd: number, remote: Endpoint, onAccept: (stream: Stream) => void): void;
  /** Begins operation `index`: the kernel writes an address and its length. */
  startAccepting(acceptor: UringAcceptor, index: number, address: number, lengthAddress: number): void;
  /** Cancels all operations; tells `take` of what they have completed and nobody has seen: index and descriptor or -errno. */
  stopAccepting(acceptor: UringAcceptor, take: (index: number, result: number) => void): void;
}

/** An acceptor; made by the reactor only. */
export class UringAcceptor implements Acceptor {
  readonly fd: number;
  /** Where the reactor finds this acceptor; belongs to the reactor. */
  slot = -1;
  private readonly host: UringAcceptorHost;
  private readonly options: AcceptOptions;
  /** Mostly a client that has been here before: its address is found, not made. */
  private readonly copyIp: CopyIp;
  private readonly memory: Memory = allocateMemory(ACCEPTS * ACCEPT_BYTES);
  private readonly words: Uint32Array;
  private pause: NodeJS.Timeout | undefined = undefined;
  /** Operations that wait for the end of a pause. */
  private resting: number[] = [];
  private closed = false;

  constructor(host: UringAcceptorHost, fd: number, options: AcceptOptions) {
    this.host = host;
    this.fd = fd;
    this.options = options;
    const { bytes } = this.memory;
    this.words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
    const addresses = new Interner((source, start, end) => source.slice(start, end));
    this.copyIp = (source, start, end) => addresses.get(source, start, end);
  }

  /** Hands all operations to the kernel; the acceptor has its slot. */
  begin(): void {
    for (let index = 0; index < ACCEPTS; index++) this.start(index);
  }

  private start(index: number): void {
    const offset = index * ACCEPT_BYTES;
    this.words[offset >> 2] = SOCKADDR_BYTES;
    const address = this.memory.address + offset;
    this.host.startAccepting(this, index, address + 8, address);
  }

  /** The completion of operation `index`: a descriptor or -errno. */
  onCompletion(index: number, result: number): void {
    if (result >= 0) this.take(index, result);
    if (this.closed || result === -ECANCELED) return;
    if (result >= 0 || result === -ECONNABORTED || result === -EINTR || result === -EAGAIN) this.start(index);
    else this.rest(index, -result);
  }

  /** Descriptors have run out, say: each attempt would fail at once. */
  private rest(index: number, error: number): void {
    this.resting.push(index);
    if (this.pause !== undefined) return;
    this.pause = setTimeout(() => {
      this.pause = undefined;
      for (const waiting of this.resting.splice(0)) this.start(waiting);
    }, ACCEPT_PAUSE_MS);
    this.options.onError(error);
  }

  private take(index: number, fd: number): void {
    const offset = index * ACCEPT_BYTES;
    const length = Math.min(this.words[offset >> 2] as number, SOCKADDR_BYTES);
    const remote = decodeEndpoint(this.memory.bytes, offset + 8, length, this.copyIp);
    this.host.adopt(fd, remote, this.options.onAccept);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    clearTimeout(this.pause);
    // The kernel may have told us alone of a connection: nobody else would come for it.
    this.host.stopAccepting(this, (index, result) => {
      if (result >= 0) this.take(index, result);
    });
    const { address } = this.memory;
    for (let accepts = 0; accepts < LAST_ACCEPTS; accepts++) {
      this.words[0] = SOCKADDR_BYTES;
      const fd = accept4(this.fd, address + 8, address, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd >= 0) this.take(0, fd);
      else {
        const error = errno();
        if (error !== ECONNABORTED && error !== EINTR) return;
      }
    }
  }
}
