/** The clock of a reactor: read once per turn, because a turn asks for it dozens of times; read afresh outside of turns. */
import type { Clock } from "../../base/clock.ts";

/** Frozen between `freeze` and `thaw`. */
export class TurnClock implements Clock {
  private frozen = false;
  private nowMs = 0;
  private wallMs = 0;
  /** From the process' own origin to the one that was asked for. */
  private readonly shiftMs: number;

  /** Begins at `originMs` of CLOCK_MONOTONIC; without it when the process began. */
  constructor(originMs?: number) {
    const own = Number(process.hrtime.bigint()) / 1e6 - performance.now();
    this.shiftMs = originMs === undefined ? 0 : own - originMs;
  }

  now(): number {
    return this.frozen ? this.nowMs : performance.now() + this.shiftMs;
  }

  wall(): number {
    return this.frozen ? this.wallMs : Date.now();
  }

  /** Reads the time for the turn that begins. */
  freeze(): void {
    this.frozen = true;
    this.nowMs = performance.now() + this.shiftMs;
    this.wallMs = Date.now();
  }

  thaw(): void {
    this.frozen = false;
  }
}
