/** Bytes from several places in one system call: sendmsg(2) with a struct msghdr and its vectors. */
import type { MemoryPiece } from "../../io/memory.ts";
import { EAGAIN, EINTR } from "../errno.ts";
import { errno } from "../ffi/native.ts";
import { MSG_NOSIGNAL, sendmsg } from "../ffi/sockets.ts";
import { allocateMemory } from "../memory.ts";

/** Pieces of one call; what is behind them goes with the next. */
const MOST_VECTORS = 64;
const VECTOR_WORDS = 4;
const MESSAGE_WORDS = 14;
/** In words: where msghdr has its vectors and their number. */
const VECTORS_AT = 4;
const COUNT_AT = 6;
const HIGH = 2 ** 32;

export function sizeOf(pieces: readonly MemoryPiece[]): number {
  let sizeBytes = 0;
  for (const { start, end } of pieces) sizeBytes += end - start;
  return sizeBytes;
}

/** Belongs to a reactor: its memory is used within a call only. */
export class GatheredSend {
  private readonly memory = allocateMemory((MESSAGE_WORDS + MOST_VECTORS * VECTOR_WORDS) * 4);
  private readonly words = new Uint32Array(
    this.memory.bytes.buffer,
    this.memory.bytes.byteOffset,
    MESSAGE_WORDS + MOST_VECTORS * VECTOR_WORDS,
  );

  constructor() {
    this.setAddress(VECTORS_AT, this.memory.address + MESSAGE_WORDS * 4);
  }

  /** Bytes that the socket has taken, fewer than there are when it is full; or -errno when it is dead. */
  send(fd: number, pieces: readonly MemoryPiece[]): number {
    let taken = 0;
    for (let first = 0; first < pieces.length; first += MOST_VECTORS) {
      const sizeBytes = this.prepare(pieces, first);
      const sent = this.sendPrepared(fd);
      if (sent < 0) return sent;
      taken += sent;
      if (sent < sizeBytes) break;
    }
    return taken;
  }

  private prepare(pieces: readonly MemoryPiece[], first: number): number {
    const count = Math.min(MOST_VECTORS, pieces.length - first);
    let sizeBytes = 0;
    for (let i = 0; i < count; i++) {
      const { memory, start, end } = pieces[first + i] as MemoryPiece;
      const word = MESSAGE_WORDS + i * VECTOR_WORDS;
      this.setAddress(word, memory.address + start);
      this.words[word + 2] = end - start;
      sizeBytes += end - start;
    }
    this.words[COUNT_AT] = count;
    return sizeBytes;
  }

  private setAddress(word: number, address: number): void {
    this.words[word] = address >>> 0;
    this.words[word + 1] = Math.floor(address / HIGH);
  }

  private sendPrepared(fd: number): number {
    for (;;) {
      const sent = sendmsg(fd, this.memory.address, MSG_NOSIGNAL);
      if (sent >= 0) return sent;
      const error = errno();
      if (error === EAGAIN) return 0;
      if (error !== EINTR) return -error;
    }
  }
}
