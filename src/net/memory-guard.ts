/**
 * Keeps memory back. A request whose bytes have no room fails by itself; V8's heap can't be refused: without room it ends the worker, and
 * all its connections with it. So requests are refused what would leave too little: bytes first, connections last. nginx needs none of
 * this: each of its pools may fail.
 */
import { NoMemory } from "../base/no-memory.ts";
import type { MemorySource } from "../io/memory.ts";

/** For V8's heap, its compiler, what the kernel and the runtime ask for, and requests that need nothing else. */
export const RESERVE_BYTES = 32 * 1024 * 1024;
/** A connection, and a body of no more than `SMALL_BYTES`, may take of the reserve down to this. */
export const LAST_BYTES = 12 * 1024 * 1024;
export const SMALL_BYTES = 8192;
/** Of what the allocator of C keeps, so much is taken for pieces that are too small; and then so much must be with the kernel. */
export const CRUMB_BYTES = 8 * 1024 * 1024;
export const KEPT_RESERVE_BYTES = 24 * 1024 * 1024;
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

  /** True when so many bytes may be taken for a connection or a body: each is there once. */
  allows(sizeBytes: number): boolean {
    return sizeBytes <= SMALL_BYTES ? this.allowsSmall(sizeBytes) : this.allowsLarge(sizeBytes);
  }

  /** Takes bytes of an answer, of which there may be many. Throws NoMemory. */
  claim(sizeBytes: number): void {
    if (!this.allowsLarge(sizeBytes)) throw new NoMemory(sizeBytes);
  }

  private allowsLarge(sizeBytes: number): boolean {
    this.granted -= sizeBytes;
    if (this.granted >= 0) return true;
    const isThere = this.asks(() => this.hasRoom(sizeBytes));
    this.granted = isThere ? STEP_BYTES : 0;
    return isThere;
  }

  private allowsSmall(sizeBytes: number): boolean {
    this.grantedSmall -= sizeBytes;
    if (this.grantedSmall >= 0) return true;
    const isThere = this.asks(() => this.source.hasRoom(LAST_BYTES));
    this.grantedSmall = isThere ? STEP_BYTES : 0;
    return isThere;
  }

  /** V8's heap can't have what the allocator of C keeps, arrays can, as far as it is not in crumbs. */
  private hasRoom(sizeBytes: number): boolean {
    const { source } = this;
    if (source.hasRoom(RESERVE_BYTES + sizeBytes)) return true;
    return source.keptBytes() >= sizeBytes + CRUMB_BYTES && source.hasRoom(KEPT_RESERVE_BYTES);
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
