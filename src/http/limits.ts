/** What limit_req and limit_conn keep: the zones' tables in a worker, what a request has to give back, and when it goes on. */
import { type Bytes, writeLatin1 } from "../base/bytes.ts";
import type { Debtor } from "../base/zone-ledger.ts";
import type { SharedMemory } from "../io/shared-memory.ts";
import { KeyCounts } from "../net/limit-conn.ts";
import { RequestRates } from "../net/limit-req.ts";
import { Timed } from "../net/timers.ts";
import { RUN } from "./outcome.ts";
import type { Request } from "./request.ts";

/** Longest key of limit_req; limit_conn has 255. */
export const MAX_KEY_BYTES = 65535;

/** The tables of a worker, each zone's once. */
export class Limits {
  /** The key of the limit that is being looked at. */
  readonly key: Bytes = new Uint8Array(MAX_KEY_BYTES);
  private readonly shared: SharedMemory;
  private readonly seed: number;
  private readonly rates = new Map<string, RequestRates>();
  private readonly counts = new Map<string, KeyCounts>();

  /** `seed`: random, the same or not in all workers. */
  constructor(shared: SharedMemory, seed: number) {
    this.shared = shared;
    this.seed = seed;
  }

  /** Requests of a zone; `rate` in thousandths per second. */
  ratesOf(zone: string, rate: number): RequestRates {
    const known = this.rates.get(zone) ?? new RequestRates(this.shared.zone(zone), rate, this.seed);
    this.rates.set(zone, known);
    return known;
  }

  /** Connections of a zone. */
  countsOf(zone: string): KeyCounts {
    const known = this.counts.get(zone) ?? new KeyCounts(this.shared.zone(zone), this.seed);
    this.counts.set(zone, known);
    return known;
  }

  /** Makes a text the present key. */
  setKey(text: string): void {
    writeLatin1(this.key, text, 0);
  }

  /** A worker was killed: what it has counted is taken back. */
  settle(debtor: Debtor): void {
    for (const counts of this.counts.values()) counts.settle(debtor);
  }
}

/** What limits know of a main request. Made for the first request that meets one, and used again with the request. */
export class RequestLimits extends Timed {
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
