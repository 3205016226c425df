/** Listening sockets with every option of nginx's `listen` that Linux knows. nginx: ngx_open_listening_sockets. */
import { chmodSync } from "node:fs";
import { DEFAULT_BACKLOG, type ListenSpec, printEndpoint } from "../io/listen.ts";
import type { Endpoint } from "../io/stream.ts";
import { EOPNOTSUPP, SystemError } from "./errno.ts";
import { close, F_GETFD, F_SETFD, FD_CLOEXEC, fcntl } from "./ffi/files.ts";
import { errno } from "./ffi/native.ts";
import {
  AF_INET6,
  bind,
  IPPROTO_IPV6,
  IPPROTO_MPTCP,
  IPPROTO_TCP,
  IPV6_V6ONLY,
  listen,
  SO_KEEPALIVE,
  SO_PROTOCOL,
  SO_RCVBUF,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SO_SNDBUF,
  SO_TYPE,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
  socket,
  TCP_DEFER_ACCEPT,
  TCP_FASTOPEN,
  TCP_KEEPCNT,
  TCP_KEEPIDLE,
  TCP_KEEPINTVL,
} from "./ffi/sockets.ts";
import { allocateMemory } from "./memory.ts";
import { encodeEndpoint, familyOf } from "./sockaddr.ts";
import { SocketOptions } from "./socket-options.ts";

/** Opens, adjusts and closes listening sockets. Not a hot path: it owns two pages. */
export class ListeningSockets {
  private readonly page = allocateMemory(1);
  private readonly options = new SocketOptions(allocateMemory(1));
  private readonly warn: (sentence: string) => void;

  /** `warn` is told of options that the kernel refused; they don't keep the socket from listening. */
  constructor(warn: (sentence: string) => void) {
    this.warn = warn;
  }

  /**
   * A non-blocking socket that is bound and listens; `shared`: beside another one of the same address. Throws a SystemError; `bind()` with
   * EADDRINUSE is worth another try.
   */
  open(spec: ListenSpec, shared = spec.reusePort === true): number {
    const family = familyOf(spec.endpoint);
    const name = printEndpoint(spec.endpoint);
    const type = spec.datagram === true ? SOCK_DGRAM : SOCK_STREAM;
    const fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, spec.multipath === true ? IPPROTO_MPTCP : 0);
    if (fd < 0) throw new SystemError("socket()", errno(), name);
    try {
      if (type === SOCK_STREAM) this.require(fd, SOL_SOCKET, SO_REUSEADDR, 1, `setsockopt(SO_REUSEADDR) ${name}`);
      if (shared) this.require(fd, SOL_SOCKET, SO_REUSEPORT, 1, `setsockopt(SO_REUSEPORT) ${name}`);
      if (family === AF_INET6) {
        this.set(fd, IPPROTO_IPV6, IPV6_V6ONLY, spec.ipv6Only === false ? 0 : 1, `setsockopt(IPV6_V6ONLY) ${name}`);
      }
      const length = encodeEndpoint(this.page.bytes, 0, spec.endpoint);
      if (bind(fd, this.page.address, length) < 0) throw new SystemError("bind()", errno(), `to ${name}`);
      if ("path" in spec.endpoint) chmodSync(Buffer.from(spec.endpoint.path, "latin1"), 0o666);
      this.adjust(fd, spec);
      if (type === SOCK_STREAM && listen(fd, spec.backlog ?? DEFAULT_BACKLOG) < 0) {
        throw new SystemError("listen()", errno(), `to ${name}, backlog ${spec.backlog ?? DEFAULT_BACKLOG}`);
      }
    } catch (error) {
      close(fd);
      throw error;
    }
    return fd;
  }

  /** The same for a socket that a reload keeps: what it was opened with may have to be taken back. */
  change(fd: number, before: ListenSpec, spec: ListenSpec): void {
    const name = printEndpoint(spec.endpoint);
    this.adjust(fd, spec);
    if (spec.deferred !== true && before.deferred === true)
      this.set(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, 0, `setsockopt(TCP_DEFER_ACCEPT, 0) for ${name}`);
    const backlog = spec.backlog ?? DEFAULT_BACKLOG;
    if (spec.datagram === true || backlog === (before.backlog ?? DEFAULT_BACKLOG)) return;
    if (listen(fd, backlog) < 0)
      this.warn(`${new SystemError("listen()", errno(), `to ${name}, backlog ${backlog}`).message}, ignored`);
  }

  /** Applies the options that can change while a socket listens. */
  adjust(fd: number, spec: ListenSpec): void {
    const name = printEndpoint(spec.endpoint);
    const { receiveBufferBytes, sendBufferBytes, keepAlive, fastOpen } = spec;
    if (receiveBufferBytes !== undefined) {
      this.set(fd, SOL_SOCKET, SO_RCVBUF, receiveBufferBytes, `setsockopt(SO_RCVBUF, ${receiveBufferBytes}) ${name}`);
    }
    if (sendBufferBytes !== undefined) {
      this.set(fd, SOL_SOCKET, SO_SNDBUF, sendBufferBytes, `setsockopt(SO_SNDBUF, ${sendBufferBytes}) ${name}`);
    }
    if (keepAlive !== undefined) {
      const on = keepAlive !== false;
      this.set(fd, SOL_SOCKET, SO_KEEPALIVE, on ? 1 : 0, `setsockopt(SO_KEEPALIVE, ${on ? 1 : 0}) ${name}`);
    }
    if (typeof keepAlive === "object") {
      const { idleS, intervalS, count } = keepAlive;
      if (idleS !== undefined) {
        this.set(fd, IPPROTO_TCP, TCP_KEEPIDLE, idleS, `setsockopt(TCP_KEEPIDLE, ${idleS}) ${name}`);
      }
      if (intervalS !== undefined) {
        this.set(fd, IPPROTO_TCP, TCP_KEEPINTVL, intervalS, `setsockopt(TCP_KEEPINTVL, ${intervalS}) ${name}`);
      }
      if (count !== undefined) {
        this.set(fd, IPPROTO_TCP, TCP_KEEPCNT, count, `setsockopt(TCP_KEEPCNT, ${count}) ${name}`);
      }
    }
    if (fastOpen !== undefined) {
      this.set(fd, IPPROTO_TCP, TCP_FASTOPEN, fastOpen, `setsockopt(TCP_FASTOPEN, ${fastOpen}) ${name}`);
    }
    if (spec.deferred === true) {
      this.set(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, 1, `setsockopt(TCP_DEFER_ACCEPT, 1) for ${name}`);
    }
  }

  /** Where a descriptor that was inherited listens, and whether it is UDP or Multipath TCP; undefined when it isn't a socket. */
  inspect(
    fd: number,
  ): { readonly endpoint: Endpoint; readonly datagram: boolean; readonly multipath: boolean } | undefined {
    const type = this.options.getInt(fd, SOL_SOCKET, SO_TYPE);
    if (type === undefined) return undefined;
    const multipath = this.options.getInt(fd, SOL_SOCKET, SO_PROTOCOL) === IPPROTO_MPTCP;
    return { endpoint: this.options.localEndpoint(fd), datagram: type === SOCK_DGRAM, multipath };
  }

  /** Lets other sockets with the same option bind to the address as well. */
  allowReusePort(fd: number): void {
    this.options.setInt(fd, SOL_SOCKET, SO_REUSEPORT, 1);
  }

  /** Whether children that are executed keep the descriptor: for sockets that a new binary inherits. */
  setInheritable(fd: number, inheritable: boolean): void {
    const flags = fcntl(fd, F_GETFD, 0);
    if (flags >= 0) fcntl(fd, F_SETFD, inheritable ? flags & ~FD_CLOEXEC : flags | FD_CLOEXEC);
  }

  close(fd: number): void {
    close(fd);
  }

  private require(fd: number, level: number, option: number, value: number, what: string): void {
    const result = this.options.setInt(fd, level, option, value);
    if (result < 0) throw new SystemError(what, -result, "");
  }

  private set(fd: number, level: number, option: number, value: number, what: string): void {
    const result = this.options.setInt(fd, level, option, value);
    // Unix sockets know no TCP options; nginx doesn't speak of those either.
    if (result < 0 && -result !== EOPNOTSUPP) this.warn(`${new SystemError(what, -result, "").message}, ignored`);
  }
}
