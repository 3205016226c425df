/** What a worker does to itself before it serves: limits, priority, user, processors. nginx: ngx_worker_process_init. */
import os from "node:os";
import { SystemError, systemError } from "./errno.ts";
import { errno } from "./ffi/native.ts";
import {
  CAP_NET_RAW,
  capset,
  getrlimit,
  initgroups,
  LINUX_CAPABILITY_VERSION_3,
  PR_SET_DUMPABLE,
  PR_SET_KEEPCAPS,
  prctl,
  RLIM_INFINITY,
  RLIMIT_CORE,
  RLIMIT_NOFILE,
  schedSetaffinity,
  setrlimit,
} from "./ffi/process.ts";
import { allocateMemory } from "./memory.ts";

/** Words of 64 bits that a processor mask has room for: 4096 processors. */
const AFFINITY_WORDS = 64;

/** Sets the soft and hard limit of open files. Throws a SystemError. */
export function setOpenFilesLimit(files: number): void {
  setLimit(RLIMIT_NOFILE, BigInt(files), `RLIMIT_NOFILE, ${files}`);
}

/** Sets the size of a core file. Throws a SystemError. */
export function setCoreLimit(sizeBytes: number): void {
  setLimit(RLIMIT_CORE, BigInt(sizeBytes), `RLIMIT_CORE, ${sizeBytes}`);
}

/** Soft and hard limit of open files; infinity is printed as nginx prints it. */
export function openFilesLimit(): { readonly soft: bigint; readonly hard: bigint } {
  const memory = allocateMemory(16);
  const words = new BigUint64Array(memory.bytes.buffer, memory.bytes.byteOffset, 2);
  if (getrlimit(RLIMIT_NOFILE, memory.address) < 0) return { soft: RLIM_INFINITY, hard: RLIM_INFINITY };
  return { soft: words[0] as bigint, hard: words[1] as bigint };
}

function setLimit(resource: number, value: bigint, what: string): void {
  const memory = allocateMemory(16);
  new BigUint64Array(memory.bytes.buffer, memory.bytes.byteOffset, 2).fill(value);
  if (setrlimit(resource, memory.address) < 0) throw new SystemError(`setrlimit(${what})`, errno(), "");
}

/** Scheduling priority, -20 (most) to 20. Throws what node throws. */
export function setPriority(nice: number): void {
  os.setPriority(0, nice);
}

/** Binds this process to processors. Throws a SystemError. */
export function setAffinity(processors: readonly number[]): void {
  const memory = allocateMemory(AFFINITY_WORDS * 8);
  for (const processor of processors) {
    const byte = memory.bytes[processor >> 3];
    if (byte !== undefined) memory.bytes[processor >> 3] = byte | (1 << (processor & 7));
  }
  if (schedSetaffinity(0, AFFINITY_WORDS * 8, memory.address) < 0) throw systemError("sched_setaffinity", errno());
}

/**
 * Gives up root for a user and its groups, for good. Order matters: after setuid nothing else would be permitted. Returns
 * 0, or the errno of initgroups, which a user namespace refuses and after which nginx goes on, too. Throws what node throws.
 */
export function becomeUser(userName: string, userId: number, groupId: number): number {
  process.setgid?.(groupId);
  const failure = initgroups(userName, groupId) < 0 ? errno() : 0;
  process.setuid?.(userId);
  return failure;
}

/** After this a change of user leaves this thread's capabilities permitted. 0, or the errno. */
export function keepCapabilities(): number {
  return prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 ? errno() : 0;
}

/** Gives up every capability but CAP_NET_RAW, which sockets with IP_TRANSPARENT need. 0, or the errno. */
export function onlyNetRaw(): number {
  const memory = allocateMemory(64);
  const words = new Uint32Array(memory.bytes.buffer, memory.bytes.byteOffset, 8);
  words[0] = LINUX_CAPABILITY_VERSION_3;
  // Effective and permitted; the upper 32 capabilities have words of their own behind.
  words[2] = 1 << CAP_NET_RAW;
  words[3] = 1 << CAP_NET_RAW;
  return capset(memory.address, memory.address + 8) < 0 ? errno() : 0;
}

/** Permits core files again, which a change of user forbids. */
export function allowCoreDump(): void {
  prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}
