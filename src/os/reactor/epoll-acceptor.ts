/** Accepts on one listening socket under level-triggered epoll. nginx: ngx_event_accept. */

import { Interner } from "../../base/interner.ts";
import type { Memory } from "../../io/memory.ts";
import type { AcceptOptions, Acceptor } from "../../io/reactor.ts";
import type { Endpoint, Stream, StreamOwner } from "../../io/stream.ts";
import { EAGAIN, ECONNABORTED, EINTR } from "../errno.ts";
import { errno } from "../ffi/native.ts";
import { accept4, SOCK_CLOEXEC, SOCK_NONBLOCK } from "../ffi/sockets.ts";
import { type CopyIp, decodeEndpoint, SOCKADDR_BYTES } from "../sockaddr.ts";

/** Connections of one listener in one turn without (as nginx: a second try mostly finds nothing) and with multi_accept. */
const ACCEPTS_PER_TURN = 1;
const MULTI_ACCEPTS_PER_TURN = 512;
/** How long accepting rests when descriptors have run out. */
export const ACCEPT_PAUSE_MS = 500;

/** What an acceptor needs of its reactor. */
export interface AcceptorHost {
  /** For one socket address: its length in the first word, the address from byte 8. */
  readonly addressMemory: Memory;
  adopt(fd: number, remote: Endpoint): Stream;
  watchListener(acceptor: EpollAcceptor): void;
  unwatchListener(acceptor: EpollAcceptor): void;
}

/** The owner of a connection that nobody has claimed yet: `onAccept` replaces it. */
export const unclaimedOwner: StreamOwner = { onData() {}, onEnd() {}, onWritable() {}, onError() {} };

/** An acceptor; made by the reactor only. */
export class EpollAcceptor implements Acceptor {
  readonly fd: number;
  /** Where the reactor finds this acceptor; belongs to the reactor. */
  slot = -1;
  private readonly host: AcceptorHost;
  private readonly options: AcceptOptions;
  private readonly limit: number;
  private readonly lengthWord: Uint32Array;
  /** Mostly a client that has been here before: its address is found, not made. */
  private readonly copyIp: CopyIp;
  private pause: NodeJS.Timeout | undefined = undefined;
  private closing = false;
  private closed = false;

  constructor(host: AcceptorHost, fd: number, options: AcceptOptions) {
    this.host = host;
    this.fd = fd;
    this.options = options;
    this.limit = options.multiAccept ? MULTI_ACCEPTS_PER_TURN : ACCEPTS_PER_TURN;
    this.lengthWord = new Uint32Array(host.addressMemory.bytes.buffer, host.addressMemory.bytes.byteOffset, 1);
    const addresses = new Interner((bytes, start, end) => bytes.slice(start, end));
    this.copyIp = (source, start, end) => addresses.get(source, start, end);
  }

  /** There is nobody whose failure it could be. */
  survive(error: unknown): never {
    throw error;
  }

  onEvents(_events: number): void {
    this.acceptUpTo(this.limit);
  }

  private acceptUpTo(limit: number): void {
    const { address, bytes } = this.host.addressMemory;
    for (let accepts = 0; accepts < limit; accepts++) {
      this.lengthWord[0] = SOCKADDR_BYTES;
      const fd = accept4(this.fd, address + 8, address, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) {
        const error = errno();
        if (error === EAGAIN) return;
        if (error === ECONNABORTED || error === EINTR) continue;
        if (this.closing) return;
        this.rest();
        this.options.onError(error);
        return;
      }
      const remote = decodeEndpoint(bytes, 8, Math.min(this.lengthWord[0] as number, SOCKADDR_BYTES), this.copyIp);
      this.options.onAccept(this.host.adopt(fd, remote));
      if (this.closed) return;
    }
  }

  /** Level-triggered readiness would spin while nothing can be accepted. */
  private rest(): void {
    this.host.unwatchListener(this);
    this.pause = setTimeout(() => {
      this.pause = undefined;
      this.host.watchListener(this);
    }, ACCEPT_PAUSE_MS);
  }

  close(): void {
    if (this.closed || this.closing) return;
    if (this.pause === undefined) this.host.unwatchListener(this);
    else clearTimeout(this.pause);
    // With EPOLLEXCLUSIVE the kernel may have told us alone of a connection: nobody else would come for it.
    this.closing = true;
    this.acceptUpTo(MULTI_ACCEPTS_PER_TURN);
    this.closed = true;
  }
}
