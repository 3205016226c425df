/**
 * Memory for request bodies, used again: a fresh array of 64 KB costs more than everything else that is done with a body of that size (pages that
 * the kernel has to clear, and collections for memory outside the heap; `npm run bench`, POST 64 KB).
 */
import { NoMemory, noMemoryText } from "../base/no-memory.ts";
import type { Memory, MemorySource } from "../io/memory.ts";
import type { MemoryGuard } from "../net/memory-guard.ts";

const SMALLEST_BITS = 10;
const LARGEST_BITS = 20;
/** What waits to be used again; more than that is left to the collector. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;

/** For who has none. */
export const NO_BODY_MEMORY: Memory = { bytes: new Uint8Array(0), address: 0 };

export class BodyMemory {
  /** By the logarithm of their size. */
  private readonly waiting: Memory[][] = Array.from({ length: LARGEST_BITS + 1 }, () => []);
  private waitingBytes = 0;
  private readonly source: MemorySource;
  private readonly guard: MemoryGuard;

  constructor(source: MemorySource, guard: MemoryGuard) {
    this.source = source;
    this.guard = guard;
  }

  /** The same; undefined when the system has no memory for it. */
  tryTake(sizeBytes: number): Memory | undefined {
    try {
      return this.take(sizeBytes);
    } catch (error) {
      if (noMemoryText(error) !== undefined) return undefined;
      throw error;
    }
  }

  /** At least `sizeBytes`, with whatever was in it. Throws when there is no memory. */
  take(sizeBytes: number): Memory {
    const bits = Math.max(SMALLEST_BITS, 32 - Math.clz32(sizeBytes - 1));
    if (sizeBytes < 1 || bits > LARGEST_BITS) return this.allocate(sizeBytes);
    const found = (this.waiting[bits] as Memory[]).pop();
    if (found === undefined) return this.allocate(1 << bits);
    this.waitingBytes -= found.bytes.length;
    return found;
  }

  private allocate(sizeBytes: number): Memory {
    if (!this.guard.allows(sizeBytes)) throw new NoMemory(sizeBytes);
    return sizeBytes < 1 ? NO_BODY_MEMORY : this.source.allocateCollected(sizeBytes);
  }

  /** Nobody uses these bytes any more. */
  give(memory: Memory): void {
    const { length } = memory.bytes;
    const bits = 31 - Math.clz32(length);
    if (bits < SMALLEST_BITS || bits > LARGEST_BITS || length !== 1 << bits) return;
    if (this.waitingBytes + length > MAX_WAITING_BYTES) return;
    this.waitingBytes += length;
    (this.waiting[bits] as Memory[]).push(memory);
  }
}
