/**
 * Messages between a process and one that it has started: lines of JSON on a socket pair. Node's own channel would have the child load all of
 * node's network code before its first line: 30 ms of a start.
 */
import { closeSync, readSync, writeSync } from "node:fs";
import { type FdWatch, watchReadable } from "./ffi/native.ts";
import { SOCK_NONBLOCK, SOCK_STREAM } from "./ffi/sockets.ts";
import { type SocketPair, socketPair } from "./socket-pair.ts";

const NEWLINE = 0x0a;
const READ_BYTES = 16 * 1024;
/** Of messages that wait for a process which does not read; what comes then is lost. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;
/** A full socket is tried again so often: libuv watches a descriptor once, and a duplicate is one more that could be lacking. */
const RETRY_MS = 5;

/** Both ends of a new channel. Throws a system error. */
export function messageChannel(): SocketPair {
  return socketPair(SOCK_STREAM | SOCK_NONBLOCK);
}

/** One end; it keeps this process alive until the other one is gone. */
export class MessageChannel<In, Out> {
  readonly #fd: number;
  readonly #onMessage: (message: In) => void;
  readonly #onEnd: () => void;
  /** What has come of a line that is not whole. */
  readonly #begun: Uint8Array[] = [];
  readonly #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #readable: FdWatch | undefined;
  #retry: NodeJS.Timeout | undefined;

  /** Owns the descriptor, which must not block. `onEnd`: the other process is gone, or has closed its end; not called behind `close`. */
  constructor(fd: number, onMessage: (message: In) => void, onEnd: () => void) {
    this.#fd = fd;
    this.#onMessage = onMessage;
    this.#onEnd = onEnd;
    this.#readable = watchReadable(fd, () => this.#read());
  }

  get isOpen(): boolean {
    return this.#readable !== undefined;
  }

  /** Never blocks. Lost when the other process is gone, or has not read for very long. */
  send(message: Out): void {
    if (!this.isOpen || this.#waitingBytes > MAX_WAITING_BYTES) return;
    const line = Buffer.from(`${JSON.stringify(message)}\n`);
    this.#waiting.push(line);
    this.#waitingBytes += line.length;
    if (this.#retry === undefined) this.#write();
  }

  /** For messages that are of no use unless they are delivered at once. */
  sendAtOnce(message: Out): void {
    if (this.#waiting.length === 0) this.send(message);
  }

  close(): void {
    if (!this.isOpen) return;
    this.#readable?.close();
    this.#readable = undefined;
    clearTimeout(this.#retry);
    closeSync(this.#fd);
  }

  #read(): void {
    const piece = Buffer.allocUnsafe(READ_BYTES);
    const size = attempt(() => readSync(this.#fd, piece));
    if (size === undefined) return;
    if (size <= 0) this.#end();
    else this.#take(piece.subarray(0, size));
  }

  #take(piece: Uint8Array): void {
    let from = 0;
    for (let end = piece.indexOf(NEWLINE); end >= 0 && this.isOpen; end = piece.indexOf(NEWLINE, from)) {
      const line = Buffer.concat([...this.#begun.splice(0), piece.subarray(from, end)]);
      from = end + 1;
      this.#onMessage(JSON.parse(line.toString()) as In);
    }
    if (from < piece.length) this.#begun.push(piece.subarray(from));
  }

  #write(): void {
    this.#retry = undefined;
    for (let line = this.#waiting[0]; line !== undefined; line = this.#waiting[0]) {
      const from = line;
      const size = attempt(() => writeSync(this.#fd, from));
      if (size === undefined) {
        this.#retry = setTimeout(() => this.#write(), RETRY_MS);
        return;
      }
      if (size < 0) {
        this.#end();
        return;
      }
      this.#waitingBytes -= size;
      if (size < line.length) this.#waiting[0] = line.subarray(size);
      else this.#waiting.shift();
    }
  }

  #end(): void {
    this.close();
    this.#onEnd();
  }
}

/** The size, undefined when it would block, -1 when the other end is gone. */
function attempt(call: () => number): number | undefined {
  try {
    return call();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EAGAIN" ? undefined : -1;
  }
}
