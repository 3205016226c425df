/**
 * Sessions that were learned from answers, and whom each belongs to, in a zone: all workers know them, and a reload keeps them.
 * Bounded by the zone; the one that was idle longest makes room. nginx: the tree of ngx_http_upstream_sticky_module.
 */
import { type Bytes, fromLatin1 } from "../base/bytes.ts";
import { md5 } from "../base/hash-md5.ts";
import { SharedTable } from "../base/shared-table.ts";
import type { Zone } from "../base/zone.ts";

const DIGEST_BYTES = 16;
const DIGEST_WORDS = 4;
// Words of an entry: when it was last used (ms, a double), and the digest of the peer's sid.
const LAST_DOUBLE = 0;
const PEER = 2;
const VALUE_WORDS = PEER + DIGEST_WORDS;

export class LearnedSessions {
  private readonly zone: Zone;
  private readonly table: SharedTable;
  private readonly timeoutMs: number;

  /** `seed` is random. Throws when the zone has no room. */
  constructor(zone: Zone, timeoutMs: number, seed: number) {
    const words = zone.find("sessions") ?? zone.region("sessions", zone.freeWords);
    if (words === undefined) throw new RangeError(`no memory in sticky session zone "${zone.name}"`);
    this.zone = zone;
    this.timeoutMs = timeoutMs;
    const isDoubtful = zone.lock.acquire();
    this.table = new SharedTable(words, VALUE_WORDS, seed);
    if (isDoubtful) this.table.repair();
    zone.lock.release();
  }

  get size(): number {
    return this.table.count;
  }

  /** The digest of the peer's sid (`digestOf`), or undefined for an unknown session. Looking does not keep it alive; `learn` does. */
  find(session: string): string | undefined {
    const key = md5(fromLatin1(session));
    this.lock();
    const entry = this.table.find(key, DIGEST_BYTES);
    const peer = entry === 0 ? undefined : this.peerOf(entry);
    this.zone.lock.release();
    return peer;
  }

  /**
   * An answer has come from the peer of `sid`. `created`: the session that the answer began, "" for none; `looked`: the one that
   * the request named. A session that is known follows the peer that served it; only `created` makes a new one.
   */
  learn(created: string, looked: string, sid: string, nowMs: number): void {
    const session = created !== "" ? created : looked;
    if (session === "") return;
    const key = md5(fromLatin1(session));
    this.lock();
    const { table } = this;
    let entry = table.find(key, DIGEST_BYTES);
    if (entry !== 0) table.touch(entry);
    else if (created !== "") entry = this.add(key);
    if (entry !== 0) this.write(entry, sid, nowMs);
    this.zone.lock.release();
  }

  /** Drops what has been idle for the timeout; returns the ms after which to come again, undefined when there is nothing left. */
  expire(nowMs: number): number | undefined {
    this.lock();
    const { table } = this;
    let leftMs: number | undefined;
    for (let entry = table.oldest; entry !== 0; entry = table.oldest) {
      leftMs = (table.doubles[table.valueOf(entry) / 2 + LAST_DOUBLE] as number) + this.timeoutMs - nowMs;
      if (leftMs > 0) break;
      leftMs = undefined;
      table.remove(entry);
    }
    this.zone.lock.release();
    return leftMs;
  }

  /** A process that died with the lock may have left the table half changed. */
  private lock(): void {
    if (this.zone.lock.acquire()) this.table.repair();
  }

  private add(key: Bytes): number {
    const { table } = this;
    const entry = table.add(key, DIGEST_BYTES);
    if (entry !== 0 || table.oldest === 0) return entry;
    table.remove(table.oldest);
    return table.add(key, DIGEST_BYTES);
  }

  private write(entry: number, sid: string, nowMs: number): void {
    const { table } = this;
    const at = table.valueOf(entry);
    table.doubles[at / 2 + LAST_DOUBLE] = nowMs;
    const digest = new DataView(md5(fromLatin1(sid)).buffer);
    for (let i = 0; i < DIGEST_WORDS; i++) table.words[at + PEER + i] = digest.getInt32(4 * i);
  }

  private peerOf(entry: number): string {
    const at = this.table.valueOf(entry) + PEER;
    return this.table.words.subarray(at, at + DIGEST_WORDS).join();
  }
}

/** What `find` says of a session that belongs to the peer of this sid. */
export function digestOf(sid: string): string {
  const digest = new DataView(md5(fromLatin1(sid)).buffer);
  return Array.from({ length: DIGEST_WORDS }, (_, i) => digest.getInt32(4 * i)).join();
}
