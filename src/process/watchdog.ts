/**
 * Tells a hung process from a watcher that was itself suspended. The process beats several times per bound; silence for longer
 * than the bound, while the watcher itself was awake, is a hang. It works both ways: the supervisor watches its processes, the
 * VRRP process its supervisor.
 */

/** What such a process says besides: that its loop turns. */
export interface Beat {
  readonly kind: "beat";
}

/** Below this a pause for garbage collection or a busy machine would look like a hang. */
const LEAST_BOUND_MS = 500;
const BEATS_PER_BOUND = 5;
/** How long a supervisor may stand still before the VRRP process no longer trusts it: it reads whole configurations in one go. */
export const SUPERVISOR_BOUND_MS = 10_000;
/** How long a process may be silent while it begins, or takes a configuration over. */
export const SETTLE_MS = 30_000;

/** How long a process with this shortest advert interval may be silent: two adverts, well before its backups take over. */
export function hangBoundMs(shortestIntervalMs: number): number {
  return Math.max(LEAST_BOUND_MS, 2 * shortestIntervalMs);
}

/** How often the process beats and the supervisor looks. */
export function beatIntervalMs(boundMs: number): number {
  return boundMs / BEATS_PER_BOUND;
}

/** The judgement. Pure: times are given. */
export class Watchdog {
  readonly boundMs: number;
  #heardMs: number;
  #lookedMs: number;
  /** Until then silence is no hang. */
  #allowedMs = Number.NEGATIVE_INFINITY;

  constructor(boundMs: number, nowMs: number) {
    this.boundMs = boundMs;
    this.#heardMs = nowMs;
    this.#lookedMs = nowMs;
  }

  beat(nowMs: number): void {
    this.#heardMs = nowMs;
  }

  /** The process has been given something to do that may take so long. */
  allow(durationMs: number, nowMs: number): void {
    this.#allowedMs = nowMs + durationMs;
  }

  /** It has done that. */
  settle(nowMs: number): void {
    this.#heardMs = nowMs;
    this.#allowedMs = Number.NEGATIVE_INFINITY;
  }

  /** To be asked every `beatIntervalMs`. True: the process hangs. */
  isHung(nowMs: number): boolean {
    const wasAsleep = nowMs - this.#lookedMs > this.boundMs / 2;
    this.#lookedMs = nowMs;
    // After a sleep of our own the beats of that time are still in the channel: the process gets a fresh bound.
    if (wasAsleep) this.#heardMs = nowMs;
    return nowMs - this.#heardMs > this.boundMs && nowMs > this.#allowedMs;
  }
}

/** One timer for all who look equally often: a master with many workers wakes no oftener than one with few. */
class Rounds {
  readonly #looks = new Set<() => void>();
  readonly #intervalMs: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs;
  }

  join(look: () => void): void {
    this.#looks.add(look);
    this.#timer ??= setInterval(() => {
      for (const one of this.#looks) one();
    }, this.#intervalMs);
  }

  leave(look: () => void): void {
    if (!this.#looks.delete(look) || this.#looks.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

const roundsByInterval = new Map<number, Rounds>();

function roundsEvery(intervalMs: number): Rounds {
  const known = roundsByInterval.get(intervalMs);
  if (known !== undefined) return known;
  const rounds = new Rounds(intervalMs);
  roundsByInterval.set(intervalMs, rounds);
  return rounds;
}

/** A watchdog that looks by itself, for one process. */
export class LoopWatch {
  readonly #dog: Watchdog;
  readonly #onHung: (silentMs: number) => void;
  readonly #pulse: () => number;
  readonly #rounds: Rounds;
  readonly #look = (): void => this.#lookSoon();
  #lastPulse = 0;
  #judgement: NodeJS.Immediate | undefined;
  #isTold = false;

  /**
   * `onHung` is called once in a row of silence: again only when a beat has come between. A process that shares memory with
   * this one may beat there: `pulse` is another number then.
   */
  constructor(boundMs: number, onHung: (silentMs: number) => void, pulse: () => number = () => 0) {
    this.#dog = new Watchdog(boundMs, performance.now());
    this.#onHung = onHung;
    this.#pulse = pulse;
    this.#rounds = roundsEvery(beatIntervalMs(boundMs));
    this.#rounds.join(this.#look);
  }

  /** True: it had been told that the process hangs. */
  beat(): boolean {
    this.#dog.beat(performance.now());
    const wasTold = this.#isTold;
    this.#isTold = false;
    return wasTold;
  }

  allow(durationMs: number): void {
    this.#dog.allow(durationMs, performance.now());
  }

  settle(): void {
    this.#dog.settle(performance.now());
  }

  close(): void {
    this.#rounds.leave(this.#look);
    clearImmediate(this.#judgement);
  }

  #lookSoon(): void {
    const pulse = this.#pulse();
    if (pulse !== this.#lastPulse) this.beat();
    this.#lastPulse = pulse;
    // Beats that wait in the channel are read before the judgement: a timer comes first in libuv's turn.
    this.#judgement = setImmediate(() => {
      if (!this.#dog.isHung(performance.now()) || this.#isTold) return;
      this.#isTold = true;
      this.#onHung(this.#dog.boundMs);
    });
  }
}
