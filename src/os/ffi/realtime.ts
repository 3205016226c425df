/** sched_setscheduler(2), mlockall(2). */
import { native } from "./native.ts";

export const SCHED_RR = 2;
export const MCL_CURRENT = 1;
export const MCL_FUTURE = 2;
export const MCL_ONFAULT = 4;

export const schedSetscheduler = native<(pid: number, policy: number, parameter: Uint8Array) => number>(
  "int sched_setscheduler(int pid, int policy, const void *parameter)",
);
export const mlockall = native<(flags: number) => number>("int mlockall(int flags)");
