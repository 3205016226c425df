/** Two connected sockets, for this process and one that it will start. */
import { systemError } from "./errno.ts";
import { socketpair } from "./ffi/descriptors.ts";
import { errno } from "./ffi/native.ts";
import { AF_UNIX, SOCK_CLOEXEC } from "./ffi/sockets.ts";
import { allocateMemory } from "./memory.ts";

export interface SocketPair {
  readonly ours: number;
  readonly theirs: number;
}

/** Of this type (SOCK_STREAM …, with its flags); neither end is inherited by accident. Throws a system error. */
export function socketPair(type: number): SocketPair {
  const memory = allocateMemory(8);
  if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, memory.address) < 0) throw systemError("socketpair", errno());
  const pair = new Int32Array(memory.bytes.buffer, memory.bytes.byteOffset, 2);
  return { ours: pair[0] as number, theirs: pair[1] as number };
}
