/**
 * Open descriptors on their way to another process that runs already (SCM_RIGHTS of unix(7)). Node passes descriptors only
 * when it starts a process, and only handles of its own later.
 */
import type { Memory } from "../io/memory.ts";
import { EINTR, systemError } from "./errno.ts";
import {
  CMSG_DATA,
  CMSG_LEVEL,
  CMSG_TYPE,
  IOVEC_BYTES,
  MSG_CMSG_CLOEXEC,
  MSGHDR_BYTES,
  MSGHDR_CONTROL,
  MSGHDR_CONTROL_BYTES,
  MSGHDR_IOV,
  MSGHDR_IOV_COUNT,
  recvmsg,
  SCM_MAX_FD,
  SCM_RIGHTS,
  SOCK_SEQPACKET,
  sendmsg,
} from "./ffi/descriptors.ts";
import { errno } from "./ffi/native.ts";
import { MSG_NOSIGNAL, SOL_SOCKET } from "./ffi/sockets.ts";
import { allocateMemory } from "./memory.ts";
import { type SocketPair, socketPair } from "./socket-pair.ts";

const IOVEC_OFFSET = MSGHDR_BYTES;
/** A message without a byte of its own would look like the end of the other side. */
const BYTE_OFFSET = IOVEC_OFFSET + IOVEC_BYTES;
const CONTROL_OFFSET = 128;
const CONTROL_BYTES = CMSG_DATA + SCM_MAX_FD * 4;

/** Both ends of a new channel. Throws a system error. */
export function descriptorChannel(): SocketPair {
  return socketPair(SOCK_SEQPACKET);
}

/** Builds and reads the one message that both directions use. */
export class DescriptorMessages {
  readonly #memory: Memory = allocateMemory(CONTROL_OFFSET + CONTROL_BYTES);
  readonly #view = new DataView(this.#memory.bytes.buffer, this.#memory.bytes.byteOffset);

  /** Sends duplicates of `fds`. 0, or the errno of sendmsg. */
  send(channel: number, fds: readonly number[]): number {
    for (let from = 0; from < fds.length; from += SCM_MAX_FD) {
      const part = fds.slice(from, from + SCM_MAX_FD);
      this.#describe(CMSG_DATA + part.length * 4);
      for (const [index, fd] of part.entries()) this.#view.setInt32(CONTROL_OFFSET + CMSG_DATA + index * 4, fd, true);
      while (sendmsg(channel, this.#memory.address, MSG_NOSIGNAL) < 0) {
        const error = errno();
        if (error !== EINTR) return error;
      }
    }
    return 0;
  }

  /** Waits for `count` descriptors, in the order in which they were sent; they close on exec. Throws when they don't come. */
  receive(channel: number, count: number): number[] {
    const fds: number[] = [];
    while (fds.length < count) {
      this.#describe(CONTROL_BYTES);
      const size = recvmsg(channel, this.#memory.address, MSG_CMSG_CLOEXEC);
      if (size < 0 && errno() === EINTR) continue;
      if (size <= 0) throw systemError("recvmsg", size === 0 ? 0 : errno(), "of descriptors");
      const length = Number(this.#view.getBigUint64(CONTROL_OFFSET, true));
      const received = (length - CMSG_DATA) >> 2;
      // The kernel leaves out what this process has no room for (RLIMIT_NOFILE).
      const expected = Math.min(SCM_MAX_FD, count - fds.length);
      if (received !== expected) throw new Error(`got ${Math.max(0, received)} of ${expected} descriptors`);
      for (let i = 0; i < received; i++) fds.push(this.#view.getInt32(CONTROL_OFFSET + CMSG_DATA + i * 4, true));
    }
    return fds;
  }

  /** A message with one byte and room for `controlBytes` of descriptors. */
  #describe(controlBytes: number): void {
    const { address } = this.#memory;
    const view = this.#view;
    view.setBigUint64(MSGHDR_IOV, BigInt(address + IOVEC_OFFSET), true);
    view.setBigUint64(MSGHDR_IOV_COUNT, 1n, true);
    view.setBigUint64(MSGHDR_CONTROL, BigInt(address + CONTROL_OFFSET), true);
    view.setBigUint64(MSGHDR_CONTROL_BYTES, BigInt(controlBytes), true);
    view.setBigUint64(IOVEC_OFFSET, BigInt(address + BYTE_OFFSET), true);
    view.setBigUint64(IOVEC_OFFSET + 8, 1n, true);
    view.setBigUint64(CONTROL_OFFSET, BigInt(controlBytes), true);
    view.setInt32(CONTROL_OFFSET + CMSG_LEVEL, SOL_SOCKET, true);
    view.setInt32(CONTROL_OFFSET + CMSG_TYPE, SCM_RIGHTS, true);
  }
}
