/**
 * Keeps memory back. A request whose bytes have no room fails by itself; V8's heap can't be refused: without room it ends the worker, and
 * all its connections with it. So requests are refused what would leave too little: bytes first, connections last. nginx needs none of
 * this: each of its pools may fail.
 */
import { NoMemory } from "../base/no-memory.ts";
import type { MemorySource } from "../io/memory.ts";

/** For V8's heap, its compiler, what the kernel and the runtime ask for, and requests that need nothing else. */
export const RESERVE_BYTES = 32 * 1024 * 1024;
/** Whoever wants no more than `SMALL_BYTES`, as a connection does, may take of the reserve down to this. */
export const LAST_BYTES = 12 * 1024 * 1024;
export const SMALL_BYTES = 8192;
/** The kernel is asked once for so many bytes: two system calls. */
const STEP_BYTES = 1024 * 1024;
/** When it refuses, garbage is collected, no more often than this: what was dropped is given back by a collection only. */
const COLLECT_EVERY_MS = 500;

export class MemoryGuard {
  private readonly source: MemorySource;
  private readonly now: () => number;
  /** May be taken before the kernel is asked again. */
  private granted = 0;
  private grantedSmall = 0;
  private collectedMs = Number.NEGATIVE_INFINITY;

  constructor(source: MemorySource, now: () => number) {
    this.source = source;
    this.now = now;
  }

  /** True when so many bytes may be taken for a request or a connection. */
  allows(sizeBytes: number): boolean {
    if (sizeBytes <= SMALL_BYTES) return this.allowsSmall(sizeBytes);
    this.granted -= sizeBytes;
    if (this.granted >= 0) return true;
    const isThere = this.asks(() => this.hasRoom(sizeBytes));
    this.granted = isThere ? STEP_BYTES : 0;
    return isThere;
  }

  /** The same for a place that has no answer of its own: throws NoMemory. */
  claim(sizeBytes: number): void {
    if (!this.allows(sizeBytes)) throw new NoMemory(sizeBytes);
  }

  private allowsSmall(sizeBytes: number): boolean {
    this.grantedSmall -= sizeBytes;
    if (this.grantedSmall >= 0) return true;
    const isThere = this.asks(() => this.source.hasRoom(LAST_BYTES));
    this.grantedSmall = isThere ? STEP_BYTES : 0;
    return isThere;
  }

  /** V8's heap can't have what the allocator of C keeps, arrays can. */
  private hasRoom(sizeBytes: number): boolean {
    const { source } = this;
    if (source.hasRoom(RESERVE_BYTES + sizeBytes)) return true;
    return source.keptBytes() >= sizeBytes + 2 * STEP_BYTES && source.hasRoom(LAST_BYTES);
  }

  private asks(isThere: () => boolean): boolean {
    if (isThere()) return true;
    const now = this.now();
    if (now - this.collectedMs < COLLECT_EVERY_MS) return false;
    this.collectedMs = now;
    this.source.collect();
    return isThere();
  }
}
