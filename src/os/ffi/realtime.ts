/** sched_setscheduler(2), mlock2(2). */
import { native } from "./native.ts";

export const SCHED_RR = 2;
/** Locks each page when it is touched, instead of reading all of them now. */
export const MLOCK_ONFAULT = 1;

export const schedSetscheduler = native<(pid: number, policy: number, parameter: Uint8Array) => number>(
  "int sched_setscheduler(int pid, int policy, const void *parameter)",
);
export const mlock2 = native<(address: bigint, sizeBytes: bigint, flags: number) => number>(
  "int mlock2(uint64_t address, uint64_t size, unsigned int flags)",
);
