/** `proxy_limit_rate`: how much of an answer may pass when. Counterpart in nginx: `limit_rate` of ngx_event_pipe_read_upstream. */
import { type Bytes, concatBytes } from "../base/bytes.ts";
import type { Piece } from "./upstream-body.ts";

const NOTHING: Bytes = new Uint8Array(0);

/** What has been read ahead of its time waits here: no more than one read, because nothing is read meanwhile. */
export class Pace {
  /** The time of what has passed is not over. */
  waiting = false;
  private readonly rate: number;
  private readonly startS: number;
  private held = NOTHING;
  private passed = 0;

  /** Bytes a second; `nowS`: whole seconds of the wall clock. */
  constructor(rate: number, nowS: number) {
    this.rate = rate;
    this.startS = nowS;
  }

  /** Nothing waits for its time. */
  get empty(): boolean {
    return this.held.length === 0;
  }

  hold({ bytes, start, end }: Piece): void {
    const piece = bytes.slice(start, end);
    this.held = this.held.length === 0 ? piece : concatBytes([this.held, piece]);
  }

  /** What may pass now; undefined when nothing is there or its time has not come. */
  take(nowS: number): Piece | undefined {
    const size = Math.min(this.held.length, this.allowance(nowS));
    if (size <= 0) return undefined;
    const piece = { memory: undefined, bytes: this.held, start: 0, end: size };
    this.held = this.held.subarray(size);
    this.passed += size;
    return piece;
  }

  /** Milliseconds that so many bytes take; with 0, those until anything may pass. */
  delayMs(size: number, nowS: number): number {
    if (size > 0) return Math.floor((size * 1000) / this.rate);
    return Math.floor((-this.allowance(nowS) * 1000) / this.rate) + 1;
  }

  private allowance(nowS: number): number {
    return this.rate * (nowS - this.startS + 1) - this.passed;
  }
}
