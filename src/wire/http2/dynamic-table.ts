/**
 * The fields that one direction of a connection remembers, RFC 7541 §2.3.2: a queue in a ring of bytes, newest first. Nothing is
 * allocated before the first field is added.
 */
import type { Bytes } from "../../base/bytes.ts";

/** What an entry counts beyond its bytes (§4.1). */
export const ENTRY_OVERHEAD_BYTES = 32;
/** Larger tables are offered to nobody; a larger limit is cut to this. */
export const LARGEST_TABLE_BYTES = 65_536;

/** Where an entry begins in the ring, and the lengths of its name and value. */
const STRIDE = 3;

export class DynamicTable {
  /** Entries. */
  count = 0;
  /** Sum of the entries, each with its overhead. */
  sizeBytes = 0;
  private limit: number;
  private ring: Bytes = new Uint8Array(0);
  private entries = new Uint32Array(0);
  /** Slot of the newest entry; older ones follow. */
  private newest = 0;
  /** Where the next entry's bytes go. */
  private tail = 0;

  constructor(limitBytes: number) {
    this.limit = Math.min(limitBytes, LARGEST_TABLE_BYTES);
  }

  get limitBytes(): number {
    return this.limit;
  }

  /** Evicts what has no place in so many bytes (§4.3). */
  setLimit(limitBytes: number): void {
    this.limit = Math.min(limitBytes, LARGEST_TABLE_BYTES);
    this.evictTo(this.limit);
  }

  clear(): void {
    this.evictTo(0);
  }

  /** Remembers a field, evicting older ones; one that is too large by itself empties the table (§4.4). */
  add(bytes: Bytes, nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): void {
    const nameBytes = nameEnd - nameStart;
    const valueBytes = valueEnd - valueStart;
    const size = nameBytes + valueBytes + ENTRY_OVERHEAD_BYTES;
    this.evictTo(this.limit - size);
    if (size > this.limit) return;
    if (this.ring.length < this.limit) this.grow();
    const slots = this.entries.length / STRIDE;
    this.newest = (this.newest + slots - 1) % slots;
    this.entries[this.newest * STRIDE] = this.tail;
    this.entries[this.newest * STRIDE + 1] = nameBytes;
    this.entries[this.newest * STRIDE + 2] = valueBytes;
    this.put(bytes, nameStart, nameEnd);
    this.put(bytes, valueStart, valueEnd);
    this.count++;
    this.sizeBytes += size;
  }

  /** Bytes of the name of an entry, 0 being the newest. */
  nameBytes(index: number): number {
    return this.entries[this.slot(index) + 1] as number;
  }

  valueBytes(index: number): number {
    return this.entries[this.slot(index) + 2] as number;
  }

  /** Copies the name of an entry to `target`, where it must fit; returns the offset behind it. */
  copyName(index: number, target: Bytes, at: number): number {
    const slot = this.slot(index);
    return this.get(this.entries[slot] as number, this.entries[slot + 1] as number, target, at);
  }

  copyValue(index: number, target: Bytes, at: number): number {
    const slot = this.slot(index);
    const start = (this.entries[slot] as number) + (this.entries[slot + 1] as number);
    return this.get(start % this.ring.length, this.entries[slot + 2] as number, target, at);
  }

  private slot(index: number): number {
    return ((this.newest + index) * STRIDE) % this.entries.length;
  }

  private evictTo(sizeBytes: number): void {
    while (this.count > 0 && this.sizeBytes > sizeBytes) {
      const oldest = this.count - 1;
      this.sizeBytes -= this.nameBytes(oldest) + this.valueBytes(oldest) + ENTRY_OVERHEAD_BYTES;
      this.count--;
    }
  }

  /** A ring for the whole limit, with what the one before held, the oldest first. */
  private grow(): void {
    const { entries, count } = this;
    const nextRing = new Uint8Array(this.limit);
    const slots = Math.floor(this.limit / ENTRY_OVERHEAD_BYTES);
    const nextEntries = new Uint32Array(slots * STRIDE);
    let at = 0;
    for (let index = count - 1; index >= 0; index--) {
      const slot = this.slot(index);
      nextEntries.set([at, entries[slot + 1] as number, entries[slot + 2] as number], index * STRIDE);
      at = this.copyValue(index, nextRing, this.copyName(index, nextRing, at));
    }
    this.newest = 0;
    this.tail = at % nextRing.length;
    this.ring = nextRing;
    this.entries = nextEntries;
  }

  private put(bytes: Bytes, start: number, end: number): void {
    const { ring } = this;
    let at = this.tail;
    for (let i = start; i < end; i++) {
      ring[at++] = bytes[i] as number;
      if (at === ring.length) at = 0;
    }
    this.tail = at;
  }

  private get(start: number, size: number, target: Bytes, at: number): number {
    const { ring } = this;
    for (let i = 0, from = start; i < size; i++) {
      target[at++] = ring[from++] as number;
      if (from === ring.length) from = 0;
    }
    return at;
  }
}
