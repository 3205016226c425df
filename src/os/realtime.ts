/** A thread that must not wait for others: SCHED_RR, locked code, its own CPUs. Each answers undefined or what failed. */
import { readFileSync } from "node:fs";
import { setPriority } from "node:os";
import { errorText } from "./errno.ts";
import { errno } from "./ffi/native.ts";
import { schedSetaffinity } from "./ffi/process.ts";
import { MLOCK_ONFAULT, mlock2, SCHED_RR, schedSetscheduler } from "./ffi/realtime.ts";
import { allocateMemory } from "./memory.ts";

/** A CPU mask as the kernel takes it: 1024 CPUs. */
const AFFINITY_BYTES = 128;

/** Lets the calling thread (the event loop) run before every normal thread. `priority`: 1 … 99. */
export function setRoundRobin(priority: number): string | undefined {
  const parameter = new Uint8Array(new Int32Array([priority]).buffer);
  return schedSetscheduler(0, SCHED_RR, parameter) < 0 ? `SCHED_RR ${priority}: ${errorText(errno())}` : undefined;
}

/**
 * Keeps the code that has run in memory: reading it again from the disk must not delay an advert. The JavaScript heap stays
 * unlocked, because V8 gives unused pages back with madvise(2), which refuses locked ones, and ends the process over that
 * (`Check failed: 0 == ret`, some seconds after mlockall). Node 20.
 */
export function lockCode(): string | undefined {
  for (const line of readFileSync("/proc/self/maps", "latin1").split("\n")) {
    const [, start, end] = /^([0-9a-f]+)-([0-9a-f]+) r-xp .* \/\S/.exec(line) ?? [];
    if (start === undefined || end === undefined) continue;
    const address = BigInt(`0x${start}`);
    if (mlock2(address, BigInt(`0x${end}`) - address, MLOCK_ONFAULT) < 0) return `mlock: ${errorText(errno())}`;
  }
  return undefined;
}

/** Binds the calling thread to these CPUs. */
export function setAffinity(cpus: readonly number[]): string | undefined {
  const { bytes, address } = allocateMemory(AFFINITY_BYTES);
  for (const cpu of cpus)
    if (cpu >= 0 && cpu < 8 * AFFINITY_BYTES) bytes[cpu >> 3] = (bytes[cpu >> 3] as number) | (1 << (cpu & 7));
  return schedSetaffinity(0, AFFINITY_BYTES, address) < 0 ? `CPU affinity: ${errorText(errno())}` : undefined;
}

/** Nice value -20 … 19 of this process. */
export function setNiceness(niceness: number): string | undefined {
  try {
    setPriority(niceness);
    return undefined;
  } catch (error) {
    return `nice ${niceness}: ${(error as Error).message}`;
  }
}
