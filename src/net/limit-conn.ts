/** What is under way per key in a zone, counted. Counterpart in nginx: ngx_http_limit_conn_lookup and _cleanup. */
import type { Bytes } from "../base/bytes.ts";
import type { SharedTable } from "../base/shared-table.ts";
import type { Zone } from "../base/zone.ts";
import type { Debtor } from "../base/zone-ledger.ts";
import { openTable } from "./limit-req.ts";

/** Instead of an entry: there are as many as there may be. */
export const FULL = 0;
/** Instead of an entry: there is no room for another key. */
export const NO_ROOM = -1;

// An entry.
const COUNT = 0;
const VALUE_WORDS = 1;

export class KeyCounts {
  private readonly zone: Zone;
  private readonly table: SharedTable;

  /** The table must be the zone's only content. Throws when the zone is too small for that. */
  constructor(zone: Zone, seed: number) {
    this.zone = zone;
    this.table = openTable(zone, VALUE_WORDS, seed);
    this.settle(undefined);
  }

  /** Counts one more of `key[0, length)`, unless there are `limit` already: the entry to give back to `leave`, or why not. */
  enter(key: Bytes, length: number, limit: number): number {
    const { table } = this;
    this.lock();
    let entry = table.find(key, length);
    if (entry === 0) {
      entry = table.add(key, length);
      if (entry === 0) entry = NO_ROOM;
    } else if ((table.words[table.valueOf(entry) + COUNT] as number) >= limit) entry = FULL;
    if (entry > 0) this.count(entry, 1);
    this.zone.lock.release();
    return entry;
  }

  /** One that has entered is over. */
  leave(entry: number): void {
    this.lock();
    this.count(entry, -1);
    this.zone.lock.release();
  }

  private count(entry: number, by: number): void {
    const { table } = this;
    const at = table.valueOf(entry) + COUNT;
    const count = (table.words[at] as number) + by;
    table.words[at] = count;
    this.zone.hold(table.words, at, by);
    if (count <= 0) table.remove(entry);
  }

  /** Takes back what a worker that was killed has counted; undefined: the one that had this one's slot. */
  settle(debtor: Debtor | undefined): void {
    const { table, zone } = this;
    this.lock();
    for (const entry of table.entries()) {
      const at = table.valueOf(entry) + COUNT;
      const left = (table.words[at] as number) - zone.takeDebt(table.words, at, debtor);
      table.words[at] = left;
      if (left <= 0) table.remove(entry);
    }
    this.zone.lock.release();
  }

  private lock(): void {
    if (this.zone.lock.acquire()) this.repair();
  }

  /** A process was killed in here: the ledgers say what it had counted, whichever word it wrote last. */
  private repair(): void {
    const { table } = this;
    table.repair();
    for (const entry of table.entries()) {
      const at = table.valueOf(entry) + COUNT;
      const count = this.zone.counted(table.words, at) ?? (table.words[at] as number);
      table.words[at] = count;
      if (count <= 0) table.remove(entry);
    }
  }
}
