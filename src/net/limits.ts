/** The tables of a worker that limit_req and limit_conn count in, each zone's once. */
import { type Bytes, writeLatin1 } from "../base/bytes.ts";
import type { Debtor } from "../base/zone-ledger.ts";
import type { SharedMemory } from "../io/shared-memory.ts";
import { KeyCounts } from "./limit-conn.ts";
import { RequestRates } from "./limit-req.ts";

/** Longest key of limit_req; limit_conn has 255. */
export const MAX_KEY_BYTES = 65535;

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
