/**
 * The alarms of a reactor on one libuv timer. Arming is cheap on purpose: the timer only ever moves to an earlier instant,
 * and a ring that comes too early arms it again. So a worker that moves its alarm for every request hardly touches libuv.
 */
import type { Clock } from "../../base/clock.ts";
import type { Alarm } from "../../io/reactor.ts";

/** setTimeout knows no longer delay; a later alarm takes several rings. */
const LONGEST_DELAY_MS = 2 ** 31 - 1;

class ArmedAlarm implements Alarm {
  atMs = Number.POSITIVE_INFINITY;
  readonly ring: () => void;
  private readonly alarms: Alarms;

  constructor(alarms: Alarms, ring: () => void) {
    this.alarms = alarms;
    this.ring = ring;
  }

  arm(atMs: number): void {
    this.atMs = atMs;
    this.alarms.wakeBy(atMs);
  }

  disarm(): void {
    this.atMs = Number.POSITIVE_INFINITY;
  }
}

/** Rings alarms inside turns of the reactor. */
export class Alarms {
  private readonly all: ArmedAlarm[] = [];
  private readonly clock: Clock;
  private readonly inTurn: (work: () => void) => void;
  private timer: NodeJS.Timeout | undefined = undefined;
  private wakeAtMs = Number.POSITIVE_INFINITY;

  /**
   * `inTurn` runs its argument in a turn of the reactor, so that the clock is fresh, deferred tasks run behind it, and events that are there
   * already before it: libuv itself looks for timers first.
   */
  constructor(clock: Clock, inTurn: (work: () => void) => void) {
    this.clock = clock;
    this.inTurn = inTurn;
  }

  /** Alarms are few (one per timer wheel) and live as long as the reactor. */
  create(ring: () => void): Alarm {
    const alarm = new ArmedAlarm(this, ring);
    this.all.push(alarm);
    return alarm;
  }

  /** Makes sure that the reactor wakes at this instant. */
  wakeBy(atMs: number): void {
    if (atMs >= this.wakeAtMs) return;
    clearTimeout(this.timer);
    this.wakeAtMs = atMs;
    const delayMs = Math.min(LONGEST_DELAY_MS, Math.max(1, Math.ceil(atMs - this.clock.now())));
    this.timer = setTimeout(() => this.inTurn(this.ringDue), delayMs);
  }

  private readonly ringDue = (): void => {
    this.wakeAtMs = Number.POSITIVE_INFINITY;
    const now = this.clock.now();
    for (const alarm of this.all) {
      if (alarm.atMs > now) continue;
      alarm.atMs = Number.POSITIVE_INFINITY;
      alarm.ring();
    }
    for (const alarm of this.all) if (alarm.atMs !== Number.POSITIVE_INFINITY) this.wakeBy(alarm.atMs);
  };

  close(): void {
    clearTimeout(this.timer);
    this.all.length = 0;
  }
}
