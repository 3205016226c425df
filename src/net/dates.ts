/** The current second as text, made once a second however many requests ask. Counterpart in nginx: ngx_times.c. */
import type { Clock } from "../base/clock.ts";
import { printHttpDate, printIsoTime, printLogTime } from "../wire/http1/date.ts";

export class Dates {
  private readonly clock: Clock;
  private readonly offset: (epochS: number) => number;
  private second = -1;
  private httpText = "";
  private logText: string | undefined = undefined;
  private isoText: string | undefined = undefined;

  /** `offset`: minutes east of UTC at an instant. */
  constructor(clock: Clock, offset: (epochS: number) => number) {
    this.clock = clock;
    this.offset = offset;
  }

  /** Seconds since 1970; the texts are those of this second. */
  now(): number {
    const second = Math.floor(this.clock.wall() / 1000);
    if (second !== this.second) {
      this.second = second;
      this.httpText = printHttpDate(second);
      this.logText = undefined;
      this.isoText = undefined;
    }
    return second;
  }

  /** For the Date field. */
  http(): string {
    this.now();
    return this.httpText;
  }

  /** `$time_local` */
  log(): string {
    const second = this.now();
    this.logText ??= printLogTime(second, this.offset(second));
    return this.logText;
  }

  /** `$time_iso8601` */
  iso(): string {
    const second = this.now();
    this.isoText ??= printIsoTime(second, this.offset(second));
    return this.isoText;
  }
}
