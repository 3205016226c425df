/** A thread that must not wait for others: SCHED_RR, locked memory, its own CPUs. Each answers undefined or what failed. */
import { setPriority } from "node:os";
import { errorText } from "./errno.ts";
import { errno } from "./ffi/native.ts";
import { schedSetaffinity } from "./ffi/process.ts";
import { MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT, mlockall, SCHED_RR, schedSetscheduler } from "./ffi/realtime.ts";
import { allocateMemory } from "./memory.ts";

/** A CPU mask as the kernel takes it: 1024 CPUs. */
const AFFINITY_BYTES = 128;

/** Lets the calling thread (the event loop) run before every normal thread. `priority`: 1 … 99. */
export function setRoundRobin(priority: number): string | undefined {
  const parameter = new Uint8Array(new Int32Array([priority]).buffer);
  return schedSetscheduler(0, SCHED_RR, parameter) < 0 ? `SCHED_RR ${priority}: ${errorText(errno())}` : undefined;
}

/** Keeps every page that has been touched in memory: swapping must not delay an advert. Reserved space stays reserved only. */
export function lockMemory(): string | undefined {
  return mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0 ? `mlockall: ${errorText(errno())}` : undefined;
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
