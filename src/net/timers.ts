/**
 * A timer wheel on one alarm: timers by the hundred thousand, of which most are moved or stopped before they ring.
 * Arming and moving a timer further away is one assignment; it is looked at when its slot of the wheel comes round, and
 * put into a later slot then. Counterpart in nginx: ngx_event_timer (a red-black tree).
 */
import type { Clock } from "../base/clock.ts";
import type { Alarm } from "../io/reactor.ts";

/** Resolution; a timer rings up to this much late, never early. */
export const TICK_MS = 10;
const SLOTS = 1024;
const MASK = SLOTS - 1;
const STOPPED = -1;
/** Of a timer that lies in no slot: in none at all, or among those whose turn has come. */
const NOWHERE = -1;
const DUE = -2;

/**
 * Something with one deadline. What there are ten thousands of (idle connections) extends this and spends no second
 * object on its timer; everything else takes a `Timer`. Arming again is what is cheap, so keep it.
 */
export abstract class Timed {
  /** Monotonic milliseconds; `STOPPED` when it must not ring. */
  deadline = STOPPED;
  /** The tick whose slot it lies in, `NOWHERE` or `DUE`. Never later than the tick of its deadline. */
  tick = NOWHERE;
  previous: Timed | undefined = undefined;
  next: Timed | undefined = undefined;

  /** The deadline has passed. */
  abstract onTimer(): void;

  get armed(): boolean {
    return this.deadline !== STOPPED;
  }

  /** It will not ring. It leaves the wheel when its slot comes round. */
  stopTimer(): void {
    this.deadline = STOPPED;
  }
}

/** A timer of its own. */
export class Timer extends Timed {
  private readonly ring: () => void;

  constructor(ring: () => void) {
    super();
    this.ring = ring;
  }

  onTimer(): void {
    this.ring();
  }
}

export class Timers {
  private readonly clock: Clock;
  private readonly alarm: Alarm;
  private readonly heads: (Timed | undefined)[] = new Array(SLOTS).fill(undefined);
  private count = 0;
  private current: number;
  private alarmTick = Number.POSITIVE_INFINITY;

  constructor(clock: Clock, alarm: (ring: () => void) => Alarm) {
    this.clock = clock;
    this.current = Math.floor(clock.now() / TICK_MS);
    this.alarm = alarm(() => this.turn());
  }

  /** Timers that lie in the wheel, stopped ones included. */
  get size(): number {
    return this.count;
  }

  /** Rings once, `delayMs` from now; an armed timer is moved. */
  arm(timer: Timed, delayMs: number): void {
    // Whole milliseconds: small integers are stored without an object.
    const deadline = Math.ceil(this.clock.now() + delayMs);
    timer.deadline = deadline;
    const tick = Math.ceil(deadline / TICK_MS);
    if (timer.tick !== NOWHERE) {
      // A later deadline is noticed when the slot comes round, or when the turn comes to the timer.
      if (timer.tick <= tick) return;
      this.unlink(timer);
    }
    this.link(timer, tick);
  }

  /** Stops it and takes it out of the wheel, for an owner that goes away. */
  discard(timer: Timed): void {
    timer.deadline = STOPPED;
    if (timer.tick >= 0) this.unlink(timer);
  }

  private link(timer: Timed, tick: number): void {
    if (tick <= this.current) tick = this.current + 1;
    const slot = tick & MASK;
    const head = this.heads[slot];
    timer.tick = tick;
    timer.previous = undefined;
    timer.next = head;
    if (head !== undefined) head.previous = timer;
    this.heads[slot] = timer;
    this.count++;
    if (tick < this.alarmTick) this.wake(tick);
  }

  private unlink(timer: Timed): void {
    const { previous, next } = timer;
    if (previous === undefined) this.heads[timer.tick & MASK] = next;
    else previous.next = next;
    if (next !== undefined) next.previous = previous;
    timer.previous = undefined;
    timer.next = undefined;
    timer.tick = NOWHERE;
    this.count--;
  }

  private wake(tick: number): void {
    this.alarmTick = tick;
    this.alarm.arm(tick * TICK_MS);
  }

  private turn(): void {
    this.alarmTick = Number.POSITIVE_INFINITY;
    const now = Math.floor(this.clock.now() / TICK_MS);
    // After a long sleep each slot is visited once.
    const first = Math.max(this.current + 1, now - SLOTS + 1);
    this.current = Math.max(this.current, now);
    for (let tick = first; tick <= now; tick++) this.visit(tick & MASK, now);
    this.sleep();
  }

  /** Rings, moves or drops the timers of a slot whose tick has come. */
  private visit(slot: number, now: number): void {
    let due: Timed | undefined;
    for (let timer = this.heads[slot]; timer !== undefined; ) {
      const next: Timed | undefined = timer.next;
      if (timer.tick <= now) {
        this.unlink(timer);
        if (timer.deadline !== STOPPED) {
          timer.tick = DUE;
          timer.next = due;
          due = timer;
        }
      }
      timer = next;
    }
    while (due !== undefined) {
      const timer = due;
      due = timer.next;
      timer.next = undefined;
      timer.tick = NOWHERE;
      // An earlier callback may have stopped or moved it.
      if (timer.deadline === STOPPED) continue;
      const tick = Math.ceil(timer.deadline / TICK_MS);
      if (tick > now) {
        this.link(timer, tick);
        continue;
      }
      timer.deadline = STOPPED;
      timer.onTimer();
    }
  }

  /** Sets the alarm to the next slot in use. */
  private sleep(): void {
    if (this.count === 0) return;
    for (let step = 1; step <= SLOTS; step++) {
      const tick = this.current + step;
      if (this.heads[tick & MASK] === undefined) continue;
      if (tick < this.alarmTick) this.wake(tick);
      return;
    }
  }
}
