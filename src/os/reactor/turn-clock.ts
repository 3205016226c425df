/** The clock of a reactor: read once per turn, because a turn asks for it dozens of times; read afresh outside of turns. */
import type { Clock } from "../../base/clock.ts";

/** Frozen between `freeze` and `thaw`. */
export class TurnClock implements Clock {
  private frozen = false;
  private nowMs = 0;
  private wallMs = 0;

  now(): number {
    return this.frozen ? this.nowMs : performance.now();
  }

  wall(): number {
    return this.frozen ? this.wallMs : Date.now();
  }

  /** Reads the time for the turn that begins. */
  freeze(): void {
    this.frozen = true;
    this.nowMs = performance.now();
    this.wallMs = Date.now();
  }

  thaw(): void {
    this.frozen = false;
  }
}
