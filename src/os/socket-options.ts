/** Options of sockets that are one int, and SO_LINGER: the value travels through a page of its owner's, not through the heap. */
import { writeLatin1 } from "../base/bytes.ts";
import type { Memory } from "../io/memory.ts";
import type { Endpoint, TcpInfo } from "../io/stream.ts";
import { errno } from "./ffi/native.ts";
import {
  getsockname,
  getsockopt,
  IPPROTO_TCP,
  SO_ERROR,
  SO_LINGER,
  SOL_SOCKET,
  setsockopt,
  TCP_INFO,
} from "./ffi/sockets.ts";
import { decodeEndpoint, SOCKADDR_BYTES } from "./sockaddr.ts";

/** Words of `struct tcp_info` (linux/tcp.h), and as many bytes of it as are asked for. */
const TCP_INFO_BYTES = 104;
const TCP_INFO_RTT = 17;
const TCP_INFO_RTT_VARIANCE = 18;
const TCP_INFO_CONGESTION_WINDOW = 20;
const TCP_INFO_RECEIVE_SPACE = 24;

/** Reads and sets options and addresses of sockets. One per thread of execution; costs one page of memory. */
export class SocketOptions {
  readonly #memory: Memory;
  readonly #words: Int32Array;

  constructor(memory: Memory) {
    this.#memory = memory;
    this.#words = new Int32Array(memory.bytes.buffer, memory.bytes.byteOffset, 64);
  }

  /** 0 or -errno. */
  setInt(fd: number, level: number, name: number, value: number): number {
    this.#words[0] = value;
    return setsockopt(fd, level, name, this.#memory.address, 4) < 0 ? -errno() : 0;
  }

  /** An option that is a text, `eth0`: 0 or -errno. */
  setText(fd: number, level: number, name: number, text: string): number {
    const length = writeLatin1(this.#memory.bytes, text, 0);
    this.#memory.bytes[length] = 0;
    return setsockopt(fd, level, name, this.#memory.address, length + 1) < 0 ? -errno() : 0;
  }

  /** The value, or undefined when the call fails. */
  getInt(fd: number, level: number, name: number): number | undefined {
    this.#words[0] = 0;
    this.#words[1] = 4;
    const { address } = this.#memory;
    return getsockopt(fd, level, name, address, address + 4) < 0 ? undefined : this.#words[0];
  }

  /** The pending error of a socket, which reading clears; 0 without one. */
  takeError(fd: number): number {
    return this.getInt(fd, SOL_SOCKET, SO_ERROR) ?? 0;
  }

  /** close(2) will send a reset. */
  setResetOnClose(fd: number): void {
    this.#words[0] = 1;
    this.#words[1] = 0;
    setsockopt(fd, SOL_SOCKET, SO_LINGER, this.#memory.address, 8);
  }

  /** Undefined when it is no TCP socket. */
  tcpInfo(fd: number): TcpInfo | undefined {
    const words = this.#words;
    const { address } = this.#memory;
    words[0] = TCP_INFO_BYTES;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, address + 4, address) < 0) return undefined;
    const word = (index: number): number => (words[1 + index] as number) >>> 0;
    return {
      rttUs: word(TCP_INFO_RTT),
      rttVarianceUs: word(TCP_INFO_RTT_VARIANCE),
      congestionWindow: word(TCP_INFO_CONGESTION_WINDOW),
      receiveSpaceBytes: word(TCP_INFO_RECEIVE_SPACE),
    };
  }

  /** Where a socket is bound to; an unnamed unix socket when the call fails. */
  localEndpoint(fd: number): Endpoint {
    const { address, bytes } = this.#memory;
    this.#words[0] = SOCKADDR_BYTES;
    if (getsockname(fd, address + 8, address) < 0) return { path: "" };
    return decodeEndpoint(bytes, 8, Math.min(this.#words[0] as number, SOCKADDR_BYTES));
  }
}
