/** Preloaded (`node --import`): this process and its children may not use io_uring, as in most containers (seccomp, EPERM). */
import { prctl } from "../../src/os/ffi/process.ts";
import { allocateMemory } from "../../src/os/memory.ts";

const PR_SET_SECCOMP = 22;
const PR_SET_NO_NEW_PRIVS = 38;
const SECCOMP_MODE_FILTER = 2;
const SYS_IO_URING_SETUP = 425;
/** `struct sock_filter`: code, jumps, operand. */
const LOAD_NUMBER = [0x20, 0, 0, 0] as const;
const IS_SETUP = [0x15, 0, 1, SYS_IO_URING_SETUP] as const;
const RETURN_EPERM = [0x06, 0, 0, 0x00050001] as const;
const RETURN_ALLOW = [0x06, 0, 0, 0x7fff0000] as const;
const PROGRAM_OFFSET = 64;

const memory = allocateMemory(PROGRAM_OFFSET + 16);
const view = new DataView(memory.bytes.buffer, memory.bytes.byteOffset);
const filter = [LOAD_NUMBER, IS_SETUP, RETURN_EPERM, RETURN_ALLOW];
for (const [index, [code, whenTrue, whenFalse, operand]] of filter.entries()) {
  view.setUint16(index * 8, code, true);
  view.setUint8(index * 8 + 2, whenTrue);
  view.setUint8(index * 8 + 3, whenFalse);
  view.setUint32(index * 8 + 4, operand, true);
}
view.setUint16(PROGRAM_OFFSET, filter.length, true);
view.setBigUint64(PROGRAM_OFFSET + 8, BigInt(memory.address), true);
if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) !== 0) throw new Error("PR_SET_NO_NEW_PRIVS failed");
if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, memory.address + PROGRAM_OFFSET, 0, 0) !== 0) {
  throw new Error("PR_SET_SECCOMP failed");
}
