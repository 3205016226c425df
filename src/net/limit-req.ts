/**
 * Requests per key in a zone: a leaky bucket whose content ("excess") is counted in thousandths of a request. Counterpart in
 * nginx: ngx_http_limit_req_lookup, _account and _expire, whose integer arithmetic this is.
 */
import type { Bytes } from "../base/bytes.ts";
import { SharedTable } from "../base/shared-table.ts";
import type { Zone } from "../base/zone.ts";

/** The request is within this limit, and was counted: the last limit of a request. */
export const COUNTED = 0;
/** It is within this limit; it counts when all others let it through as well (`account`). */
export const PROMISED = 1;
/** It is beyond the limit. */
export const BUSY = 2;
/** There is no room for its key, not even behind the oldest one. */
export const NO_ROOM = 3;

// An entry: two doubles, in steps of 64 bits.
/** When the bucket was last looked at, ms of the clock that workers share; -∞ for one that nothing was counted in. */
const LAST = 0;
const EXCESS = 1;
const VALUE_WORDS = 4;
const NEVER = Number.NEGATIVE_INFINITY;

/** A clock that goes back this far has been set, and does not belong to another worker that has read it a moment later. */
const CLOCK_WAS_SET_MS = -60_000;
/** An entry that was not used for so long goes if its bucket is empty. */
const IDLE_MS = 60_000;
/** Entries that one new entry removes at most. */
const EXPIRED_AT_ONCE = 3;

export class RequestRates {
  /** Behind `look` and `account`: what is in the bucket. */
  excess = 0;
  private readonly zone: Zone;
  private readonly table: SharedTable;
  /** Thousandths of a request per second. */
  private readonly rate: number;
  private promised = 0;
  private stamp = 0;

  /** The table must be the zone's only content. Throws when the zone is too small for that. */
  constructor(zone: Zone, rate: number, seed: number) {
    this.zone = zone;
    this.rate = rate;
    this.table = openTable(zone, VALUE_WORDS, seed);
  }

  /**
   * Looks whether a request of `key[0, length)` would be within `burst` (thousandths), at `now` ms. `isLast`: there are no
   * further limits, so it counts at once.
   */
  look(key: Bytes, length: number, burst: number, now: number, isLast: boolean): number {
    this.lock();
    const result = this.lookLocked(key, length, burst, now, isLast);
    this.zone.lock.release();
    return result;
  }

  private lookLocked(key: Bytes, length: number, burst: number, now: number, isLast: boolean): number {
    const { table } = this;
    let entry = table.find(key, length);
    if (entry === 0) {
      this.excess = 0;
      this.expire(now, 1);
      entry = table.add(key, length);
      if (entry === 0) {
        this.expire(now, 0);
        entry = table.add(key, length);
      }
      if (entry === 0) return NO_ROOM;
      table.doubles[table.valueOf(entry) / 2 + LAST] = isLast ? now : NEVER;
    } else {
      table.touch(entry);
      const at = table.valueOf(entry) / 2;
      const elapsed = elapsedSince(table.doubles[at + LAST] as number, now);
      this.excess = this.drained(table.doubles[at + EXCESS] as number, elapsed);
      if (this.excess > burst) return BUSY;
      if (isLast) this.store(at, elapsed, now);
    }
    if (isLast) return COUNTED;
    this.promised = entry;
    this.stamp = table.stampOf(entry);
    return PROMISED;
  }

  /** Counts the request that `look` has promised to count; false when there was none. */
  account(now: number): boolean {
    const { table, promised } = this;
    if (promised === 0) return false;
    this.promised = 0;
    this.lock();
    // In between, another worker may have needed the room.
    if (table.isStill(promised, this.stamp)) {
      const at = table.valueOf(promised) / 2;
      const elapsed = elapsedSince(table.doubles[at + LAST] as number, now);
      this.excess = this.drained(table.doubles[at + EXCESS] as number, elapsed);
      this.store(at, elapsed, now);
    } else this.excess = 0;
    this.zone.lock.release();
    return true;
  }

  /** The request was refused by another limit. */
  forget(): void {
    this.promised = 0;
  }

  /** How long a request must wait whose bucket has so much beyond `delay` (thousandths), ms. */
  delayOf(excess: number, delay: number): number {
    return excess <= delay ? 0 : Math.floor(((excess - delay) * 1000) / this.rate);
  }

  private lock(): void {
    if (this.zone.lock.acquire()) this.table.repair();
  }

  private drained(excess: number, elapsedMs: number): number {
    return Math.max(0, excess - Math.floor((this.rate * elapsedMs) / 1000) + 1000);
  }

  private store(at: number, elapsedMs: number, now: number): void {
    const { doubles } = this.table;
    doubles[at + EXCESS] = this.excess;
    if (elapsedMs !== 0) doubles[at + LAST] = now;
  }

  /** Removes up to two entries that are as good as none; with `removed` 0 the oldest in any case, and up to two others. */
  private expire(now: number, removed: number): void {
    const { table, rate } = this;
    for (let count = removed; count < EXPIRED_AT_ONCE; count++) {
      const { oldest } = table;
      if (oldest === 0) return;
      if (count > 0) {
        const at = table.valueOf(oldest) / 2;
        const elapsed = Math.abs(now - (table.doubles[at + LAST] as number));
        if (elapsed < IDLE_MS) return;
        if ((table.doubles[at + EXCESS] as number) - Math.floor((rate * elapsed) / 1000) > 0) return;
      }
      table.remove(oldest);
    }
  }
}

function elapsedSince(last: number, now: number): number {
  const elapsed = now - last;
  return elapsed < CLOCK_WAS_SET_MS ? 1 : Math.max(0, elapsed);
}

/** The table that fills a zone. */
export function openTable(zone: Zone, valueWords: number, seed: number): SharedTable {
  const words = zone.find("table") ?? zone.region("table", zone.freeWords);
  if (words === undefined) throw new RangeError(`no memory in shared memory zone "${zone.name}"`);
  const isDoubtful = zone.lock.acquire();
  const table = new SharedTable(words, valueWords, seed);
  // Who asks for it knows how to repair it, and does so at the first lock.
  if (isDoubtful) zone.lock.leave();
  else zone.lock.release();
  return table;
}
