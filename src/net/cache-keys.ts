/**
 * The keys of a cache in its zone, which all workers share: what is known of each file, who uses it, who is about to renew it,
 * and the order in which the files were last asked for. Knows no files itself. Counterpart in nginx: the tree and the queue
 * of ngx_http_file_cache_sh_t and ngx_http_file_cache_node_t.
 *
 * A worker that is killed leaves nothing behind: what it used is given back by the zone's ledger, and an update names the
 * process that has promised it.
 */
import type { Bytes } from "../base/bytes.ts";
import { CELL_WORDS, SharedTable } from "../base/shared-table.ts";
import type { Zone } from "../base/zone.ts";
import type { Debtor } from "../base/zone-ledger.ts";

/** What a key takes: a cell of the table and a record. As many bytes as in nginx, so that zones hold as many keys. */
const KEY_WORDS = 2 * CELL_WORDS;
/** A page that is not for keys: what stands in front of regions, and the common words. nginx: a page of its slab pool. */
const RESERVED_WORDS = 1024;

// The common words; the size is a double.
/** 1 when every file of the folder is known. */
const LOADED = 0;
/** The process that is looking through the folder. */
const LOADER = 1;
/** As many keys are too many: there was no room. 0: never yet. */
const WATERMARK = 2;
const SIZE = 4;
const COMMON_WORDS = CELL_WORDS;

// A record, one line of the zone.
/** Requests that use it, and the manager while it deletes it. The only counter of its line: the ledger's. */
const COUNT = 0;
const USES = 1;
const FLAGS = 2;
/** The process that renews it; 0: nobody. */
const UPDATER = 3;
/** A status that is remembered without a file. */
const ERROR = 4;
const BODY_START = 5;
// Doubles.
const VALID_S = 6;
const INODE = 8;
const EXPIRE_S = 10;
/** Until when the update is waited for, ms of the clock that workers share. */
const LOCK_MS = 12;
/** Blocks of the file system. */
const BLOCKS = 14;
const RECORD_WORDS = CELL_WORDS;

// Flags.
const EXISTS = 1;
const DELETING = 2;

/** nginx's counter of uses has ten bits, which nobody sees; ours stops. */
const MOST_USES = 1023;

// What `enter` says.
/** The file is there, or somebody is about to make it, or an error is remembered. */
export const KEY_KNOWN = 0;
/** It was asked for too seldom. */
export const KEY_SCARCE = 1;
/** Nothing is known. */
export const KEY_NEW = 2;
/** There is no room for another key: `expireOldest` makes some. */
export const KEY_NO_ROOM = 3;

/** A key that a request uses, until `leave`, `stored` or `letGo`. Filled by `enter`. */
export class KeyUse {
  /** 0: none. */
  cell = 0;
  exists = false;
  error = 0;
  /** 0: unknown. */
  bodyStart = 0;
  inode = 0;
}

/** What is found at the end of the queue. */
export type Oldest =
  | { readonly kind: "none" }
  /** The oldest is asked for in so many seconds at most. */
  | { readonly kind: "young"; readonly leftS: number }
  /** It was only a key: it has gone. */
  | { readonly kind: "forgotten" }
  /** Its file is to be deleted, then `deleted` is called. */
  | { readonly kind: "file"; readonly cell: number; readonly key: Bytes }
  /** Somebody is deleting it. */
  | { readonly kind: "deleting" }
  /** Requests use it still; it has been made the newest. */
  | { readonly kind: "locked"; readonly key: Bytes; readonly count: number };

/** What is known of a file. */
export interface FileFacts {
  readonly bodyStart: number;
  readonly inode: number;
  readonly blocks: number;
}

/** How a request leaves a key without a file for it. */
export interface LeaveRules {
  /** The update that it had promised, by its `LOCK_MS`; undefined: none. */
  readonly lockMs: number | undefined;
  /** A status that is remembered until then; 0 for none. */
  readonly error: number;
  readonly validS: number;
  /** A key without a file isn't worth its room: uses are not counted. */
  readonly forgets: boolean;
}

/** The process that uses a cache. */
export interface KeyProcess {
  readonly processId: number;
  /** False once the process of this id is gone. */
  isAlive(processId: number): boolean;
}

export class CacheKeys {
  private readonly zone: Zone;
  private readonly table: SharedTable;
  private readonly records: Int32Array;
  private readonly doubles: Float64Array;
  private readonly common: Int32Array;
  private readonly commonDoubles: Float64Array;
  private readonly processId: number;

  /** They must be the zone's only content. `seed` is random. Throws when the zone is too small. */
  constructor(zone: Zone, seed: number, { processId, isAlive }: KeyProcess) {
    const keys = Math.floor((zone.sizeWords - RESERVED_WORDS) / KEY_WORDS);
    const common = zone.region("common", COMMON_WORDS);
    const table = zone.region("keys", keys * CELL_WORDS);
    const records = zone.region("records", keys * RECORD_WORDS);
    if (common === undefined || table === undefined || records === undefined)
      throw new RangeError(`no memory in shared memory zone "${zone.name}"`);
    this.zone = zone;
    this.processId = processId;
    this.common = common;
    this.commonDoubles = doublesOf(common);
    this.records = records;
    this.doubles = doublesOf(records);
    const isDoubtful = zone.lock.acquire();
    this.table = new SharedTable(table, 0, seed);
    if (isDoubtful) this.repair();
    zone.lock.release();
    this.takeOver(isAlive);
  }

  // ---- the whole cache

  /** Not all files are known: one that isn't may be there. */
  get isCold(): boolean {
    return this.common[LOADED] === 0;
  }

  get count(): number {
    return this.table.count;
  }

  /** Blocks that all files have. */
  get blocks(): number {
    return this.commonDoubles[SIZE / 2] as number;
  }

  /** There were as many keys as there is room for not long ago. */
  get isFull(): boolean {
    const watermark = this.common[WATERMARK] as number;
    return watermark > 0 && this.count >= watermark;
  }

  /** This process looks through the folder: false when another one does, or it has been done. */
  beginLoading(isAlive: (processId: number) => boolean): boolean {
    this.lock();
    const loader = this.common[LOADER] as number;
    const isFree = this.isCold && (loader === 0 || loader === this.processId || !isAlive(loader));
    if (isFree) this.common[LOADER] = this.processId;
    this.zone.lock.release();
    return isFree;
  }

  endLoading(isWhole: boolean): void {
    this.lock();
    this.common[LOADER] = 0;
    if (isWhole) this.common[LOADED] = 1;
    this.zone.lock.release();
  }

  // ---- a request

  /** Asks for a key that `use` has no cell for yet, or for the same one again. nginx: ngx_http_file_cache_exists. */
  enter(use: KeyUse, key: Bytes, minUses: number, nowS: number, inactiveS: number): number {
    this.lock();
    const result = this.enterLocked(use, key, minUses, nowS, inactiveS);
    this.zone.lock.release();
    return result;
  }

  private enterLocked(use: KeyUse, key: Bytes, minUses: number, nowS: number, inactiveS: number): number {
    const { records, doubles } = this;
    let cell = use.cell === 0 ? this.table.find(key, key.length) : use.cell;
    let result = KEY_NEW;
    if (cell === 0) {
      cell = this.table.add(key, key.length);
      if (cell === 0) {
        this.common[WATERMARK] = Math.max(1, this.count - Math.floor(this.count / 8));
        return KEY_NO_ROOM;
      }
      records[this.at(cell) + USES] = 1;
      this.hold(cell, 1);
    } else {
      const at = this.at(cell);
      if (use.cell === 0) {
        records[at + USES] = Math.min(MOST_USES, (records[at + USES] as number) + 1);
        this.hold(cell, 1);
      }
      if (records[at + ERROR] !== 0) {
        if ((doubles[(at + VALID_S) / 2] as number) >= nowS) result = KEY_KNOWN;
      } else if (this.has(at, EXISTS) || (records[at + USES] as number) >= minUses) result = KEY_KNOWN;
      else result = KEY_SCARCE;
      this.table.touch(cell);
    }
    const at = this.at(cell);
    if (result === KEY_NEW) this.renew(at);
    doubles[(at + EXPIRE_S) / 2] = nowS + inactiveS;
    use.cell = cell;
    use.exists = this.has(at, EXISTS);
    use.error = records[at + ERROR] as number;
    use.inode = doubles[(at + INODE) / 2] as number;
    use.bodyStart = records[at + BODY_START] as number;
    return result;
  }

  /** Nothing is known of it any more. */
  private renew(at: number): void {
    const { records, doubles } = this;
    if (this.has(at, EXISTS)) this.addBlocks(-(doubles[(at + BLOCKS) / 2] as number));
    records[at + FLAGS] = 0;
    records[at + ERROR] = 0;
    records[at + BODY_START] = 0;
    doubles[(at + VALID_S) / 2] = 0;
    doubles[(at + INODE) / 2] = 0;
    doubles[(at + BLOCKS) / 2] = 0;
  }

  /** Promises an update that others may wait for: until when, ms. Undefined: somebody else has. nginx: ngx_http_file_cache_lock. */
  lockUpdate({ cell }: KeyUse, nowMs: number, ageMs: number): number | undefined {
    const at = this.at(cell);
    this.lock();
    const isFree = this.records[at + UPDATER] === 0 || (this.doubles[(at + LOCK_MS) / 2] as number) <= nowMs;
    if (isFree) {
      this.records[at + UPDATER] = this.processId;
      this.doubles[(at + LOCK_MS) / 2] = nowMs + ageMs;
    }
    this.zone.lock.release();
    return isFree ? nowMs + ageMs : undefined;
  }

  /** How long the update of somebody else is to be waited for yet, ms; 0 or less: no longer. */
  waitMs({ cell }: KeyUse, nowMs: number): number {
    const at = this.at(cell);
    this.lock();
    const leftMs = this.records[at + UPDATER] === 0 ? 0 : (this.doubles[(at + LOCK_MS) / 2] as number) - nowMs;
    this.zone.lock.release();
    return leftMs;
  }

  /** What is there is too old. Promises to renew it, by the number that `leave` wants; undefined: somebody else has. */
  promiseRenewal({ cell }: KeyUse): number | undefined {
    const at = this.at(cell);
    this.lock();
    const isFree = this.records[at + UPDATER] === 0;
    if (isFree) this.records[at + UPDATER] = this.processId;
    const lockMs = this.doubles[(at + LOCK_MS) / 2] as number;
    this.zone.lock.release();
    return isFree ? lockMs : undefined;
  }

  /** A file that nobody had told of has been found in a cold cache. */
  found({ cell }: KeyUse, file: FileFacts): void {
    const at = this.at(cell);
    this.lock();
    if (!this.has(at, EXISTS)) {
      this.records[at + USES] = 1;
      this.setFile(at, file);
    }
    this.zone.lock.release();
  }

  /** A new file has its place; without facts: it could not get there. nginx: the end of ngx_http_file_cache_update. */
  stored(use: KeyUse, file: FileFacts | undefined): void {
    const at = this.at(use.cell);
    this.lock();
    this.hold(use.cell, -1);
    this.records[at + ERROR] = 0;
    if (file !== undefined) this.setFile(at, file);
    this.records[at + UPDATER] = 0;
    this.zone.lock.release();
    use.cell = 0;
  }

  private setFile(at: number, { bodyStart, inode, blocks }: FileFacts): void {
    const { records, doubles } = this;
    const before = this.has(at, EXISTS) ? (doubles[(at + BLOCKS) / 2] as number) : 0;
    records[at + BODY_START] = bodyStart;
    doubles[(at + INODE) / 2] = inode;
    doubles[(at + BLOCKS) / 2] = blocks;
    records[at + FLAGS] = (records[at + FLAGS] as number) | EXISTS;
    this.addBlocks(blocks - before);
  }

  /** The request uses it no longer. nginx: ngx_http_file_cache_free. */
  leave(use: KeyUse, { lockMs, error, validS, forgets }: LeaveRules): void {
    const { records, doubles } = this;
    const at = this.at(use.cell);
    this.lock();
    this.hold(use.cell, -1);
    if (lockMs !== undefined && doubles[(at + LOCK_MS) / 2] === lockMs) records[at + UPDATER] = 0;
    if (error !== 0) {
      records[at + ERROR] = error;
      if (validS !== 0) doubles[(at + VALID_S) / 2] = validS;
    } else if (forgets && !this.has(at, EXISTS) && records[at + COUNT] === 0) this.forget(use.cell);
    this.zone.lock.release();
    use.cell = 0;
  }

  /** The request turns to another key. `renews`: it had promised to renew this one. */
  letGo(use: KeyUse, renews: boolean): void {
    this.lock();
    this.hold(use.cell, -1);
    if (renews) this.records[this.at(use.cell) + UPDATER] = 0;
    this.zone.lock.release();
    use.cell = 0;
  }

  // ---- loader and manager

  /** A file of the folder. False when there is no room for its key. */
  add(key: Bytes, blocks: number, nowS: number, inactiveS: number): boolean {
    this.lock();
    let cell = this.table.find(key, key.length);
    if (cell === 0) {
      cell = this.table.add(key, key.length);
      if (cell === 0) this.common[WATERMARK] = Math.max(1, this.count - Math.floor(this.count / 8));
      else {
        this.records[this.at(cell) + USES] = 1;
        this.setFile(this.at(cell), { bodyStart: 0, inode: 0, blocks });
      }
    } else this.table.touch(cell);
    if (cell !== 0) this.doubles[(this.at(cell) + EXPIRE_S) / 2] = nowS + inactiveS;
    this.zone.lock.release();
    return cell !== 0;
  }

  /** Lets go of the key that was not asked for the longest: when its time has come, or in any case. nginx: ngx_http_file_cache_expire. */
  expireOldest(nowS: number, inactiveS: number, isForced: boolean): Oldest {
    this.lock();
    const oldest = this.expireLocked(nowS, inactiveS, isForced);
    this.zone.lock.release();
    return oldest;
  }

  private expireLocked(nowS: number, inactiveS: number, isForced: boolean): Oldest {
    const { records, doubles, table } = this;
    const cell = table.oldest;
    if (cell === 0) return { kind: "none" };
    const at = this.at(cell);
    const leftS = (doubles[(at + EXPIRE_S) / 2] as number) - nowS;
    if (!isForced && leftS > 0) return { kind: "young", leftS };
    const count = records[at + COUNT] as number;
    const key = table.keyOf(cell);
    if (count <= 0) {
      if (!this.has(at, EXISTS)) {
        this.forget(cell);
        return { kind: "forgotten" };
      }
      this.addBlocks(-(doubles[(at + BLOCKS) / 2] as number));
      doubles[(at + BLOCKS) / 2] = 0;
      records[at + FLAGS] = EXISTS | DELETING;
      this.hold(cell, 1);
      return { kind: "file", cell, key };
    }
    if (this.has(at, DELETING)) return { kind: "deleting" };
    table.touch(cell);
    doubles[(at + EXPIRE_S) / 2] = nowS + inactiveS;
    return { kind: "locked", key, count };
  }

  /** The file that `expireOldest` has told of is no more. */
  deleted(cell: number): void {
    const at = this.at(cell);
    this.lock();
    this.hold(cell, -1);
    this.records[at + FLAGS] = (this.records[at + FLAGS] as number) & ~DELETING;
    if ((this.records[at + COUNT] as number) <= 0) this.forget(cell);
    this.zone.lock.release();
  }

  // ---- what the dead leave

  /** Takes back what a process that was killed has used and promised. */
  settle(debtor: Debtor): void {
    const { records } = this;
    this.lock();
    for (const cell of this.table.entries()) {
      this.payBack(cell, debtor);
      const at = this.at(cell) + UPDATER;
      if (records[at] === debtor.processId) records[at] = 0;
    }
    if (this.common[LOADER] === debtor.processId) this.common[LOADER] = 0;
    this.zone.lock.release();
  }

  /** What the process has left that had this one's slot, and promises of all that are no more: nobody else may have been there. */
  private takeOver(isAlive: KeyProcess["isAlive"]): void {
    const { records } = this;
    const living = new Map<number, boolean>([[0, true]]);
    this.lock();
    for (const cell of this.table.entries()) {
      this.payBack(cell, undefined);
      const at = this.at(cell) + UPDATER;
      const updater = records[at] as number;
      let isThere = living.get(updater);
      if (isThere === undefined) {
        isThere = isAlive(updater);
        living.set(updater, isThere);
      }
      if (!isThere) records[at] = 0;
    }
    this.zone.lock.release();
  }

  private payBack(cell: number, debtor: Debtor | undefined): void {
    const { records, zone } = this;
    const at = this.at(cell);
    const debt = zone.takeDebt(records, at + COUNT, debtor);
    if (debt === 0) return;
    records[at + COUNT] = Math.max(0, (records[at + COUNT] as number) - debt);
    records[at + FLAGS] = (records[at + FLAGS] as number) & ~DELETING;
  }

  private lock(): void {
    if (this.zone.lock.acquire()) this.repair();
  }

  /** A process was killed in here: records stand for themselves, their counts are what the ledgers say, the sum is made anew. */
  private repair(): void {
    const { doubles, records, table, zone } = this;
    table.repair();
    let blocks = 0;
    for (const cell of table.entries()) {
      const at = this.at(cell);
      records[at + COUNT] = zone.counted(records, at + COUNT) ?? (records[at + COUNT] as number);
      if (this.has(at, EXISTS)) blocks += doubles[(at + BLOCKS) / 2] as number;
    }
    this.commonDoubles[SIZE / 2] = blocks;
  }

  /** Its record is zeros before the cell is free: that of the next one begins so, wherever this process is killed. */
  private forget(cell: number): void {
    const at = this.at(cell);
    if (this.has(at, EXISTS)) this.addBlocks(-(this.doubles[(at + BLOCKS) / 2] as number));
    this.records.fill(0, at, at + RECORD_WORDS);
    this.table.remove(cell);
  }

  private hold(cell: number, by: number): void {
    const at = this.at(cell) + COUNT;
    this.records[at] = (this.records[at] as number) + by;
    this.zone.hold(this.records, at, by);
  }

  private addBlocks(by: number): void {
    this.commonDoubles[SIZE / 2] = Math.max(0, this.blocks + by);
  }

  private has(at: number, flag: number): boolean {
    return ((this.records[at + FLAGS] as number) & flag) !== 0;
  }

  private at(cell: number): number {
    return (cell - 1) * RECORD_WORDS;
  }
}

function doublesOf(words: Int32Array): Float64Array {
  return new Float64Array(words.buffer, words.byteOffset, words.length >> 1);
}
