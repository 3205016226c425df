/** localtime_r(3), gmtime_r(3), strftime(3). */
import { native } from "./native.ts";

/** More than `sizeof(struct tm)` anywhere. */
export const TM_BYTES = 128;

export const localtimeR = native<(time: BigInt64Array, result: Uint8Array) => unknown>(
  "void *localtime_r(const void *time, void *result)",
);
export const gmtimeR = native<(time: BigInt64Array, result: Uint8Array) => unknown>(
  "void *gmtime_r(const void *time, void *result)",
);
export const strftime = native<(target: Uint8Array, sizeBytes: number, format: Uint8Array, time: Uint8Array) => number>(
  "size_t strftime(void *target, size_t size, const void *format, const void *time)",
);
