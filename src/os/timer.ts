/** Alarms on timerfd(2) with absolute deadlines of CLOCK_MONOTONIC: microseconds, where setTimeout has whole milliseconds. */
import type { Clock } from "../base/clock.ts";
import type { Alarm } from "../io/reactor.ts";
import { systemError } from "./errno.ts";
import { close } from "./ffi/files.ts";
import { errno, type FdWatch, watchReadable } from "./ffi/native.ts";
import {
  CLOCK_MONOTONIC,
  read,
  TFD_CLOEXEC,
  TFD_NONBLOCK,
  TFD_TIMER_ABSTIME,
  timerfdCreate,
  timerfdSettime,
} from "./ffi/timer.ts";
import { allocateMemory } from "./memory.ts";

/** `now` is CLOCK_MONOTONIC itself, which timerfd compares with and which all processes of a machine share. */
export function monotonicClock(): Clock {
  // Not performance.now() and an offset: an offset that is measured a little wrong lets every alarm ring too early for it.
  return { now: () => Number(process.hrtime.bigint()) / 1e6, wall: () => Date.now() };
}

/** A double holds a few weeks of milliseconds to some nanoseconds. */
const NANOSECONDS_OF_ROUNDING = 1000;

/** `struct itimerspec`: interval and value, each seconds and nanoseconds. */
const ITIMERSPEC_BYTES = 32;

/** One alarm with its own descriptor; it keeps the process alive until it is closed. */
export class TimerfdAlarm implements Alarm {
  readonly #memory = allocateMemory(ITIMERSPEC_BYTES + 8);
  readonly #view = new DataView(this.#memory.bytes.buffer, this.#memory.bytes.byteOffset, ITIMERSPEC_BYTES);
  readonly #fd: number;
  readonly #watch: FdWatch;
  #atMs = Number.POSITIVE_INFINITY;

  /** Throws a system error when the kernel has no timer left. */
  constructor(ring: () => void) {
    this.#fd = timerfdCreate(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (this.#fd < 0) throw systemError("timerfd_create", errno());
    this.#watch = watchReadable(this.#fd, () => {
      // Nothing to read: the alarm was moved after it had rung.
      if (Number(read(this.#fd, this.#memory.address + ITIMERSPEC_BYTES, 8)) !== 8) return;
      this.#atMs = Number.POSITIVE_INFINITY;
      ring();
    });
  }

  arm(atMs: number): void {
    if (atMs === this.#atMs) return;
    this.#atMs = atMs;
    const seconds = Math.floor(atMs / 1000);
    // Never a nanosecond before: whoever compares the clock with the deadline would find nothing to do.
    this.#set(seconds, Math.ceil((atMs - seconds * 1000) * 1e6) + NANOSECONDS_OF_ROUNDING);
  }

  disarm(): void {
    if (this.#atMs === Number.POSITIVE_INFINITY) return;
    this.#atMs = Number.POSITIVE_INFINITY;
    this.#set(0, 0);
  }

  #set(seconds: number, nanoseconds: number): void {
    const carry = nanoseconds >= 1e9 ? 1 : 0;
    this.#view.setBigInt64(16, BigInt(seconds + carry), true);
    this.#view.setBigInt64(24, BigInt(carry === 1 ? 0 : nanoseconds), true);
    timerfdSettime(this.#fd, TFD_TIMER_ABSTIME, this.#memory.address, 0);
  }

  close(): void {
    this.#watch.close();
    close(this.#fd);
  }
}
