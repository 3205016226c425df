/** What limit_req and limit_conn keep of a request: what it has to give back, and when it goes on. */

import type { KeyCounts } from "../net/limit-conn.ts";
import type { HeldConnections } from "../net/limit-conn-rules.ts";
import { Timed } from "../net/timers.ts";
import { RUN } from "./outcome.ts";
import type { Request } from "./request.ts";

/** What limits know of a main request. Made for the first request that meets one, and used again with the request. */
export class RequestLimits extends Timed implements HeldConnections {
  /** `$limit_req_status` and `$limit_conn_status` by number, 0: no limit was asked. */
  reqStatus = 0;
  connStatus = 0;
  private waiting: Request | undefined = undefined;
  private outcome: number = RUN;
  private readonly entered: KeyCounts[] = [];
  private readonly entries: number[] = [];

  /** The request, or subrequest, goes on after this time, or has this outcome then. */
  delay(request: Request, delayMs: number, outcome: number = RUN): void {
    this.waiting = request;
    this.outcome = outcome;
    request.connection.worker.timers.arm(this, delayMs);
  }

  override onTimer(): void {
    const request = this.waiting;
    this.waiting = undefined;
    if (request !== undefined) request.connection.resume(request, this.outcome);
  }

  /** The request counts in a zone until it ends. */
  hold(counts: KeyCounts, entry: number): void {
    this.entered.push(counts);
    this.entries.push(entry);
  }

  /** It counts no longer. */
  leave(): void {
    for (let i = 0; i < this.entered.length; i++) (this.entered[i] as KeyCounts).leave(this.entries[i] as number);
    this.entered.length = 0;
    this.entries.length = 0;
  }

  /** The request has ended. */
  release(): void {
    if (this.entries.length > 0) this.leave();
    this.reqStatus = 0;
    this.connStatus = 0;
    this.waiting = undefined;
    this.stopTimer();
  }
}

/** Of the main request. */
export function limitsOf({ main }: Request): RequestLimits {
  main.limits ??= new RequestLimits();
  return main.limits;
}
