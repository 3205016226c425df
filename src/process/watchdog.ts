/**
 * Tells a hung VRRP process from a supervisor that was itself suspended. Pure: times are given. The process beats several
 * times per bound; silence for longer than the bound, while the supervisor itself was awake, is a hang.
 */

/** Below this a pause for garbage collection or a busy machine would look like a hang. */
const LEAST_BOUND_MS = 500;
const BEATS_PER_BOUND = 5;

/** How long a process with this shortest advert interval may be silent: two adverts, well before its backups take over. */
export function hangBoundMs(shortestIntervalMs: number): number {
  return Math.max(LEAST_BOUND_MS, 2 * shortestIntervalMs);
}

/** How often the process beats and the supervisor looks. */
export function beatIntervalMs(boundMs: number): number {
  return boundMs / BEATS_PER_BOUND;
}

export class Watchdog {
  readonly boundMs: number;
  #heardMs: number;
  #lookedMs: number;

  constructor(boundMs: number, nowMs: number) {
    this.boundMs = boundMs;
    this.#heardMs = nowMs;
    this.#lookedMs = nowMs;
  }

  beat(nowMs: number): void {
    this.#heardMs = nowMs;
  }

  /** To be asked every `beatIntervalMs`. True: the process hangs. */
  isHung(nowMs: number): boolean {
    const wasAsleep = nowMs - this.#lookedMs > this.boundMs / 2;
    this.#lookedMs = nowMs;
    // After a sleep of our own the beats of that time are still in the channel: the process gets a fresh bound.
    if (wasAsleep) this.#heardMs = nowMs;
    return nowMs - this.#heardMs > this.boundMs;
  }
}
