/**
 * The loop of a load program: blocking epoll_wait over FFI, with libuv nowhere in between, so that a timer rings within microseconds
 * and nothing is allocated per event. A load program does nothing else and ends with the process.
 */
import { systemError } from "../../src/os/errno.ts";
import {
  EPOLL_CLOEXEC,
  EPOLL_CTL_ADD,
  EPOLLIN,
  EVENT_DATA_WORD,
  EVENT_WORDS,
  epollCreate1,
  epollCtl,
  epollWait,
} from "../../src/os/ffi/epoll.ts";
import { close } from "../../src/os/ffi/files.ts";
import { errno } from "../../src/os/ffi/native.ts";
import {
  AF_INET,
  accept4,
  connect,
  IPPROTO_TCP,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  recv,
  SOCK_CLOEXEC,
  SOCK_STREAM,
  send,
  socket,
  TCP_NODELAY,
} from "../../src/os/ffi/sockets.ts";
import {
  CLOCK_MONOTONIC,
  read,
  TFD_CLOEXEC,
  TFD_NONBLOCK,
  timerfdCreate,
  timerfdSettime,
} from "../../src/os/ffi/timer.ts";
import { ListeningSockets } from "../../src/os/listening-socket.ts";
import { allocateMemory } from "../../src/os/memory.ts";
import { encodeEndpoint } from "../../src/os/sockaddr.ts";
import { SocketOptions } from "../../src/os/socket-options.ts";

const EVENTS_PER_TURN = 512;
const LOOPBACK = Uint8Array.of(127, 0, 0, 1);
const BUFFER_BYTES = 256 * 1024;

/** Called when there is something to read. */
export type OnReadable = (fd: number) => void;

/** Sockets are blocking, their calls are not: small messages on a loopback always fit. */
export class LoadLoop {
  /** What `receive` fills. */
  readonly input = allocateMemory(BUFFER_BYTES);
  readonly #page = allocateMemory(1);
  readonly #pageWords = new Int32Array(this.#page.bytes.buffer, this.#page.bytes.byteOffset, 64);
  readonly #options = new SocketOptions(allocateMemory(1));
  readonly #events = allocateMemory(EVENTS_PER_TURN * EVENT_WORDS * 4);
  readonly #eventWords = new Int32Array(this.#events.bytes.buffer, this.#events.bytes.byteOffset);
  readonly #epfd = epollCreate1(EPOLL_CLOEXEC);
  /** By descriptor. */
  readonly #watchers: (OnReadable | undefined)[] = [];

  /** A connection to a port of the loopback. Throws when nobody listens there. */
  connect(port: number, onReadable: OnReadable): number {
    const fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) throw systemError("socket", errno());
    const length = encodeEndpoint(this.#page.bytes, 64, { ip: LOOPBACK, port });
    if (connect(fd, this.#page.address + 64, length) < 0) throw systemError("connect", errno(), `to port ${port}`);
    this.#adopt(fd, onReadable);
    return fd;
  }

  /** Accepts on a port of the loopback; `onAccept` returns what the connection does. */
  listen(port: number, onAccept: () => OnReadable): void {
    const sockets = new ListeningSockets(() => {});
    const listener = sockets.open({ endpoint: { ip: LOOPBACK, port }, backlog: 4096 });
    this.#watch(listener, () => {
      const fd = accept4(listener, 0, 0, SOCK_CLOEXEC);
      if (fd >= 0) this.#adopt(fd, onAccept());
    });
  }

  /** Rings every `intervalUs` microseconds, from now on. */
  every(intervalUs: number, ring: () => void): void {
    const fd = timerfdCreate(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    const view = new DataView(this.#page.bytes.buffer, this.#page.bytes.byteOffset, 32);
    for (const offset of [0, 16]) {
      view.setBigInt64(offset, BigInt(Math.floor(intervalUs / 1e6)), true);
      view.setBigInt64(offset + 8, BigInt(Math.round((intervalUs % 1e6) * 1000)), true);
    }
    if (timerfdSettime(fd, 0, this.#page.address, 0) < 0) throw systemError("timerfd_settime", errno());
    this.#watch(fd, () => {
      if (Number(read(fd, this.#page.address, 8)) === 8) ring();
    });
  }

  /** Bytes that have come into `input`; 0 at the end of the stream, negative when there is nothing or the connection is broken. */
  receive(fd: number): number {
    return Number(recv(fd, this.input.address, BUFFER_BYTES, MSG_DONTWAIT));
  }

  /** False when not all was taken. */
  send(fd: number, address: number, sizeBytes: number): boolean {
    return Number(send(fd, address, sizeBytes, MSG_DONTWAIT | MSG_NOSIGNAL)) === sizeBytes;
  }

  close(fd: number): void {
    this.#watchers[fd] = undefined;
    close(fd);
  }

  /** Runs until `isOver`, which is asked after every turn. */
  run(isOver: () => boolean): void {
    const words = this.#eventWords;
    while (!isOver()) {
      const count = epollWait(this.#epfd, this.#events.address, EVENTS_PER_TURN, 100);
      for (let i = 0, word = EVENT_DATA_WORD; i < count; i++, word += EVENT_WORDS) {
        const fd = words[word] as number;
        this.#watchers[fd]?.(fd);
      }
    }
  }

  #adopt(fd: number, onReadable: OnReadable): void {
    this.#options.setInt(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    this.#watch(fd, onReadable);
  }

  #watch(fd: number, onReadable: OnReadable): void {
    this.#watchers[fd] = onReadable;
    this.#pageWords[0] = EPOLLIN;
    this.#pageWords[EVENT_DATA_WORD] = fd;
    this.#pageWords[EVENT_DATA_WORD + 1] = 0;
    if (epollCtl(this.#epfd, EPOLL_CTL_ADD, fd, this.#page.address) < 0) throw systemError("epoll_ctl", errno());
  }
}
