/** Memory outside the JavaScript heap: bytes for us, an address for the kernel. It never moves. */
import type { Bytes } from "../base/bytes.ts";

export interface Memory {
  readonly bytes: Bytes;
  /** Of `bytes[0]`; only `os/` may calculate with it. */
  readonly address: number;
}

/** `memory.bytes[start, end)`. */
export interface MemoryPiece {
  readonly memory: Memory;
  readonly start: number;
  readonly end: number;
}

export interface MemorySource {
  /** Zeroed pages that are never given back; `sizeBytes` is rounded up to a page. Throws when the kernel has none left. */
  allocate(sizeBytes: number): Memory;
  /** Zeroed bytes that are collected as others are. Their address holds for as long as somebody has them: for calls that end at once. */
  allocateCollected(sizeBytes: number): Memory;
  /** The kernel would give so many bytes more. */
  hasRoom(sizeBytes: number): boolean;
  /** Bytes that were given back and are kept for the next array, wherever the kernel can't have them back. */
  keptBytes(): number;
  /** Gives back what nobody uses any more: a full collection. */
  collect(): void;
}
