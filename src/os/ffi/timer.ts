/** timerfd_create(2). */
import { native } from "./native.ts";

export const CLOCK_MONOTONIC = 1;
export const TFD_TIMER_ABSTIME = 1;
export const TFD_NONBLOCK = 0o4000;
export const TFD_CLOEXEC = 0o2000000;

export const timerfdCreate = native<(clock: number, flags: number) => number>(
  "int timerfd_create(int clock, int flags)",
);
export const timerfdSettime = native<(fd: number, flags: number, value: number, old: number) => number>(
  "int timerfd_settime(int fd, int flags, uint64_t value, uint64_t old)",
);
export const read = native<(fd: number, address: number, sizeBytes: number) => number>(
  "long read(int fd, uint64_t buffer, size_t size)",
);
