/**
 * A hash table of byte strings in memory that processes share, with the order in which its entries were last used. Bounded by
 * its memory: who finds it full removes the oldest. Every entry has some words of its own for the user of the table.
 * Counterpart in nginx: a red-black tree, a queue and a slab pool in a zone.
 *
 * All calls need the lock of the memory. A process may be killed within any of them: whoever takes the lock then must call
 * `repair`. An entry counts from the moment its LENGTH is written, which is last when it is added and first when it goes.
 */
import { assert } from "./assert.ts";
import type { Bytes } from "./bytes.ts";

/** Words of a cell: one cache line. An entry has one, and more when its key is long. */
export const CELL_WORDS = 16;
const CELL_BYTES = CELL_WORDS * 4;

// Offsets in the header.
const BUCKETS = 0;
/** First of the cells that were given back; linked by NEXT. */
const FREE = 1;
/** Cells from here on were never used. */
const FRESH = 2;
const NEWEST = 3;
const OLDEST = 4;
const COUNT = 5;
const SERIAL = 6;
/** Keys are hashed by it, so that nobody outside can choose keys that meet in one bucket. */
const SEED = 7;
const HEADER_WORDS = CELL_WORDS;

// Offsets in a cell; cells are counted from 1, 0 is none.
/** Next entry of the bucket, next cell of a key, next free cell. */
const NEXT = 0;
/** Bytes of the key, plus 1; 0: not an entry. */
const LENGTH = 1;
const NEWER = 2;
const OLDER = 3;
const HASH = 4;
/** Where the key goes on. */
const MORE = 5;
/** Of all entries that there ever were, which one this is: tells an entry from a later one in the same cell. */
const STAMP = 6;
/** The user's words; at a multiple of 8 bytes. */
const VALUE = 8;

/** A further cell of a key has NEXT and a LENGTH of 0, then bytes. */
const MORE_OFFSET = 8;
const MORE_BYTES = CELL_BYTES - MORE_OFFSET;

export class SharedTable {
  /** The user's words of entry `cell` begin at `valueOf(cell)`. */
  readonly words: Int32Array;
  /** The same memory, for values of 64 bits: `doubles[valueOf(cell) / 2]`. */
  readonly doubles: Float64Array;
  private readonly bytes: Uint8Array;
  private readonly cells: number;
  private readonly mask: number;
  private readonly firstCell: number;
  private readonly keyOffset: number;
  private readonly inlineBytes: number;

  /** `words` are zeros at first, 8-byte aligned; `valueWords` of each entry are the user's, at most 7; `seed` is random. */
  constructor(words: Int32Array, valueWords: number, seed: number) {
    assert(VALUE + valueWords < CELL_WORDS, "an entry has room for its value");
    this.words = words;
    this.bytes = new Uint8Array(words.buffer, words.byteOffset, words.length * 4);
    this.doubles = new Float64Array(words.buffer, words.byteOffset, words.length >> 1);
    const lines = Math.floor(words.length / CELL_WORDS) - 1;
    assert(lines >= 2, "a table has room for a cell");
    let buckets = CELL_WORDS;
    while (buckets * 2 <= lines) buckets *= 2;
    this.mask = buckets - 1;
    this.cells = lines - buckets / CELL_WORDS;
    this.firstCell = HEADER_WORDS + buckets;
    this.keyOffset = (VALUE + valueWords) * 4;
    this.inlineBytes = CELL_BYTES - this.keyOffset;
    if (words[BUCKETS] === 0) {
      words[FRESH] = 1;
      words[SEED] = seed | 0;
      words[BUCKETS] = buckets;
    }
    assert(words[BUCKETS] === buckets, "all processes see a table alike");
  }

  get count(): number {
    return this.words[COUNT] as number;
  }

  /** The entry that was not used for the longest time; 0: none. */
  get oldest(): number {
    return this.words[OLDEST] as number;
  }

  /** All entries, the oldest first. */
  entries(): number[] {
    const entries: number[] = [];
    for (let cell = this.oldest; cell !== 0; cell = this.words[this.at(cell) + NEWER] as number) entries.push(cell);
    return entries;
  }

  /** Where the user's words of an entry begin. */
  valueOf(cell: number): number {
    return this.at(cell) + VALUE;
  }

  /** A copy of an entry's key. */
  keyOf(cell: number): Bytes {
    const { bytes, words } = this;
    const at = this.at(cell);
    const length = (words[at + LENGTH] as number) - 1;
    const key = new Uint8Array(length);
    const from = at * 4 + this.keyOffset;
    key.set(bytes.subarray(from, from + Math.min(length, this.inlineBytes)));
    let more = words[at + MORE] as number;
    for (let i = this.inlineBytes; i < length; i += MORE_BYTES) {
      const begin = this.at(more) * 4 + MORE_OFFSET;
      key.set(bytes.subarray(begin, begin + Math.min(MORE_BYTES, length - i)), i);
      more = words[this.at(more) + NEXT] as number;
    }
    return key;
  }

  /** Tells this entry from others that the cell may have been before or become later. */
  stampOf(cell: number): number {
    return this.words[this.at(cell) + STAMP] as number;
  }

  /** The cell still is the entry of that stamp. */
  isStill(cell: number, stamp: number): boolean {
    const at = this.at(cell);
    return this.words[at + STAMP] === stamp && this.words[at + LENGTH] !== 0;
  }

  /** The entry of `key[0, length)`, or 0. */
  find(key: Bytes, length: number): number {
    const { words } = this;
    const hash = this.hashOf(key, length);
    for (let cell = words[this.bucketOf(hash)] as number; cell !== 0; cell = words[this.at(cell) + NEXT] as number) {
      const at = this.at(cell);
      if (words[at + HASH] === hash && words[at + LENGTH] === length + 1 && this.hasKey(at, key, length)) return cell;
    }
    return 0;
  }

  /** Adds an entry whose key isn't there yet, as the newest; its value is zeros. 0: there is no room. */
  add(key: Bytes, length: number): number {
    const { words } = this;
    const hash = this.hashOf(key, length);
    const first = this.takeCells(1 + Math.max(0, Math.ceil((length - this.inlineBytes) / MORE_BYTES)));
    if (first === 0) return 0;
    const at = this.at(first);
    words[at + MORE] = words[at + NEXT] as number;
    words[at + HASH] = hash;
    words[SERIAL] = ((words[SERIAL] as number) + 1) | 0;
    words[at + STAMP] = words[SERIAL] as number;
    words.fill(0, at + VALUE, at + CELL_WORDS);
    this.putKey(at, key, length);
    const bucket = this.bucketOf(hash);
    words[at + NEXT] = words[bucket] as number;
    words[bucket] = first;
    this.linkNewest(first, at);
    words[COUNT] = this.count + 1;
    words[at + LENGTH] = length + 1;
    return first;
  }

  /** Takes an entry out. */
  remove(cell: number): void {
    const { words } = this;
    const at = this.at(cell);
    words[at + LENGTH] = 0;
    words[COUNT] = this.count - 1;
    let before = this.bucketOf(words[at + HASH] as number);
    while (words[before] !== cell) before = this.at(words[before] as number) + NEXT;
    words[before] = words[at + NEXT] as number;
    this.unlink(at);
    words[at + NEXT] = words[at + MORE] as number;
    this.giveBack(cell);
  }

  /** It is the newest now. */
  touch(cell: number): void {
    if (this.words[NEWEST] === cell) return;
    const at = this.at(cell);
    this.unlink(at);
    this.linkNewest(cell, at);
  }

  /** Makes the table consistent again behind a process that was killed. Entries stay, in any order of use. */
  repair(): void {
    const { words } = this;
    words.fill(0, HEADER_WORDS, this.firstCell);
    words[FREE] = 0;
    words[NEWEST] = 0;
    words[OLDEST] = 0;
    words[COUNT] = 0;
    const fresh = words[FRESH] as number;
    const taken = new Uint8Array(fresh);
    for (let cell = 1; cell < fresh; cell++) if (words[this.at(cell) + LENGTH] !== 0) this.revive(cell, taken);
    for (let cell = 1; cell < fresh; cell++) {
      if (taken[cell] === 1) continue;
      words[this.at(cell) + LENGTH] = 0;
      words[this.at(cell) + NEXT] = words[FREE] as number;
      words[FREE] = cell;
    }
  }

  /** Links an entry again, unless its cells belong to another one as well. */
  private revive(cell: number, taken: Uint8Array): void {
    const { words } = this;
    const at = this.at(cell);
    const cells = [cell];
    let left = Math.max(0, Math.ceil(((words[at + LENGTH] as number) - 1 - this.inlineBytes) / MORE_BYTES));
    for (let more = words[at + MORE] as number; left > 0; left--) {
      if (more <= 0 || more >= taken.length || words[this.at(more) + LENGTH] !== 0) break;
      cells.push(more);
      more = words[this.at(more) + NEXT] as number;
    }
    if (left > 0 || cells.some((one) => taken[one] === 1) || new Set(cells).size < cells.length) return;
    for (const one of cells) taken[one] = 1;
    if (cells.length > 1) words[this.at(cells.at(-1) as number) + NEXT] = 0;
    else words[at + MORE] = 0;
    const bucket = this.bucketOf(words[at + HASH] as number);
    words[at + NEXT] = words[bucket] as number;
    words[bucket] = cell;
    this.linkNewest(cell, at);
    words[COUNT] = this.count + 1;
  }

  /** First word of a cell. */
  private at(cell: number): number {
    return this.firstCell + (cell - 1) * CELL_WORDS;
  }

  private hashOf(key: Bytes, length: number): number {
    let hash = this.words[SEED] as number;
    for (let i = 0; i < length; i++) hash = Math.imul(hash ^ (key[i] as number), 0x01000193);
    // The low bits choose the bucket, and need the influence of the high ones.
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
    return hash ^ (hash >>> 13);
  }

  private bucketOf(hash: number): number {
    return HEADER_WORDS + (hash & this.mask);
  }

  private hasKey(at: number, key: Bytes, length: number): boolean {
    const { bytes, words } = this;
    const inline = Math.min(length, this.inlineBytes);
    const from = at * 4 + this.keyOffset;
    for (let i = 0; i < inline; i++) if (bytes[from + i] !== key[i]) return false;
    let cell = words[at + MORE] as number;
    for (let i = inline; i < length; ) {
      const begin = this.at(cell) * 4 + MORE_OFFSET;
      const end = Math.min(length, i + MORE_BYTES);
      for (let j = begin; i < end; i++, j++) if (bytes[j] !== key[i]) return false;
      cell = words[this.at(cell) + NEXT] as number;
    }
    return true;
  }

  private putKey(at: number, key: Bytes, length: number): void {
    const { bytes, words } = this;
    const inline = Math.min(length, this.inlineBytes);
    const from = at * 4 + this.keyOffset;
    for (let i = 0; i < inline; i++) bytes[from + i] = key[i] as number;
    let cell = words[at + MORE] as number;
    for (let i = inline; i < length; ) {
      const begin = this.at(cell) * 4 + MORE_OFFSET;
      const end = Math.min(length, i + MORE_BYTES);
      for (let j = begin; i < end; i++, j++) bytes[j] = key[i] as number;
      cell = words[this.at(cell) + NEXT] as number;
    }
  }

  private linkNewest(cell: number, at: number): void {
    const { words } = this;
    const before = words[NEWEST] as number;
    words[at + NEWER] = 0;
    words[at + OLDER] = before;
    if (before === 0) words[OLDEST] = cell;
    else words[this.at(before) + NEWER] = cell;
    words[NEWEST] = cell;
  }

  private unlink(at: number): void {
    const { words } = this;
    const newer = words[at + NEWER] as number;
    const older = words[at + OLDER] as number;
    if (newer === 0) words[NEWEST] = older;
    else words[this.at(newer) + OLDER] = older;
    if (older === 0) words[OLDEST] = newer;
    else words[this.at(older) + NEWER] = newer;
  }

  /** So many cells, chained by NEXT; 0, and nothing is taken, when there are not enough. */
  private takeCells(count: number): number {
    let first = 0;
    for (let taken = 0; taken < count; taken++) {
      const cell = this.takeCell();
      if (cell === 0) {
        if (first !== 0) this.giveBack(first);
        return 0;
      }
      this.words[this.at(cell) + NEXT] = first;
      first = cell;
    }
    return first;
  }

  private takeCell(): number {
    const { words } = this;
    const free = words[FREE] as number;
    if (free !== 0) {
      words[FREE] = words[this.at(free) + NEXT] as number;
      return free;
    }
    const fresh = words[FRESH] as number;
    if (fresh > this.cells) return 0;
    words[FRESH] = fresh + 1;
    return fresh;
  }

  /** A chain of cells. */
  private giveBack(first: number): void {
    const { words } = this;
    for (let cell = first; cell !== 0; ) {
      const at = this.at(cell);
      const next = words[at + NEXT] as number;
      words[at + NEXT] = words[FREE] as number;
      words[FREE] = cell;
      cell = next;
    }
  }
}
