/**
 * A zone: memory that the master and its workers share by name, as integers. Whoever needs a part of it asks for a region by
 * name; the first one makes it, all others find it, also those that come later or run another configuration. nginx: a shared
 * memory zone and its slab pool; regions are never given back, because a zone goes as a whole.
 */
import { assert } from "./assert.ts";
import { type Bytes, equalBytes, fromUtf8 } from "./bytes.ts";
import { SharedLock, type SharedLockHost } from "./shared-lock.ts";
import type { Debtor, ZoneLedger } from "./zone-ledger.ts";

/** Words in front of the regions. */
const HEADER_WORDS = 16;
// Offsets in the header.
const LOCK = 0;
/** Words in use; 0 means just the header. */
const USED = 1;

/** Regions begin at multiples of so many words (64 bytes: a cache line, and doubles are aligned). */
const LINE_WORDS = 16;
// Offsets in the line that stands in front of a region; its name follows.
const REGION_WORDS = 0;
const NAME_BYTES = 1;
const NAME = 2;

/** What a process brings along to use a zone. */
export interface ZoneUser {
  /** Its id; positive. */
  readonly processId: number;
  readonly host: SharedLockHost;
}

export class Zone {
  readonly name: string;
  /** Guards everything in the zone, for a few microseconds at a time. */
  readonly lock: SharedLock;
  /** The zone of this name that the configuration before this one used, when the two are not the same memory: to copy from. */
  readonly previous: Zone | undefined;
  private readonly words: Int32Array;
  private readonly ledger: ZoneLedger | undefined;

  /** `words` are zeros in a new zone; 64-byte aligned. Without a ledger what a killed process has counted stays. */
  constructor(name: string, words: Int32Array, user: ZoneUser, beside: { previous?: Zone; ledger?: ZoneLedger } = {}) {
    assert(words.length >= HEADER_WORDS, "a zone has room for its header");
    this.name = name;
    this.words = words;
    this.previous = beside.previous;
    this.ledger = beside.ledger;
    this.lock = new SharedLock(words, LOCK, user.processId, user.host);
  }

  get sizeWords(): number {
    return this.words.length;
  }

  /** Words that are neither in use nor lost to the header of the next region (whose name counts besides). */
  get freeWords(): number {
    return Math.max(0, this.words.length - this.usedWords - LINE_WORDS);
  }

  private get usedWords(): number {
    return this.words[USED] || HEADER_WORDS;
  }

  /**
   * The region of this name: made of `sizeWords` zeros if there is none yet, else as it was made, whatever its size. Undefined
   * when there is no room. The zone's lock must not be held.
   */
  region(name: string, sizeWords: number): Int32Array | undefined {
    const isDoubtful = this.lock.acquire();
    const region = this.find(name) ?? this.make(fromUtf8(name), sizeWords);
    // What is in the regions is for those to repair who know it.
    if (isDoubtful) this.lock.leave();
    else this.lock.release();
    return region;
  }

  /** The region of this name if there is one. */
  find(name: string): Int32Array | undefined {
    const wanted = fromUtf8(name);
    for (const region of this.regions()) if (equalBytes(region.name, wanted)) return region.words;
    return undefined;
  }

  /** All regions whose name begins so. */
  findAll(prefix: string): readonly Int32Array[] {
    const wanted = fromUtf8(prefix);
    return [...this.regions()]
      .filter(({ name }) => equalBytes(name.subarray(0, wanted.length), wanted))
      .map(({ words }) => words);
  }

  private *regions(): Generator<{ readonly name: Bytes; readonly words: Int32Array }> {
    const { words } = this;
    const used = this.usedWords;
    for (let at = HEADER_WORDS; at < used; ) {
      const sizeWords = words[at + REGION_WORDS] as number;
      const nameBytes = words[at + NAME_BYTES] as number;
      const begin = at + roundUp(NAME + Math.ceil(nameBytes / 4));
      yield { name: this.nameAt(at, nameBytes), words: words.subarray(begin, begin + sizeWords) };
      at = begin + roundUp(sizeWords);
    }
  }

  /** This process changes a counter, word `at` of a region, by so much. With the lock held. */
  hold(region: Int32Array, at: number, by: number): void {
    this.ledger?.add(this.indexOf(region, at), by);
  }

  /** What a dead process has counted there, see `ZoneLedger.take`. With the lock held. */
  takeDebt(region: Int32Array, at: number, debtor: Debtor | undefined): number {
    return this.ledger === undefined ? 0 : this.ledger.take(debtor, this.indexOf(region, at));
  }

  /**
   * What the ledgers say that a counter has: its value, where a process was killed between the two. With the lock held. Undefined
   * without a ledger.
   */
  counted(region: Int32Array, at: number): number | undefined {
    return this.ledger?.total(this.indexOf(region, at));
  }

  private indexOf(region: Int32Array, at: number): number {
    return (region.byteOffset - this.words.byteOffset) / 4 + at;
  }

  private make(name: Bytes, sizeWords: number): Int32Array | undefined {
    const { words } = this;
    const at = this.usedWords;
    const begin = at + roundUp(NAME + Math.ceil(name.length / 4));
    if (begin + sizeWords > words.length) return undefined;
    words[at + REGION_WORDS] = sizeWords;
    words[at + NAME_BYTES] = name.length;
    this.nameAt(at, name.length).set(name);
    // Last: a process that is killed before has made nothing.
    words[USED] = Math.min(words.length, begin + roundUp(sizeWords));
    return words.subarray(begin, begin + sizeWords);
  }

  private nameAt(at: number, nameBytes: number): Bytes {
    return new Uint8Array(this.words.buffer, this.words.byteOffset + (at + NAME) * 4, nameBytes);
  }
}

function roundUp(words: number): number {
  return Math.ceil(words / LINE_WORDS) * LINE_WORDS;
}
