/** The memory of a zone: its own words, and the ledgers of workers behind them. */
import { ledgerWords } from "../base/zone-ledger.ts";
import { createSharedMemory, mapSharedMemory } from "../os/shared-memory.ts";

const ALIGNMENT_BYTES = 64;

/** A zone that is mapped. */
export interface ZoneMemory {
  readonly words: Int32Array;
  readonly ledger: Int32Array;
  /** It must not be touched afterwards. */
  unmap(): void;
}

function wordsOf(sizeBytes: number): number {
  return (Math.ceil(sizeBytes / ALIGNMENT_BYTES) * ALIGNMENT_BYTES) / Int32Array.BYTES_PER_ELEMENT;
}

function totalBytes(sizeBytes: number): number {
  const words = wordsOf(sizeBytes);
  return (words + ledgerWords(words)) * Int32Array.BYTES_PER_ELEMENT;
}

/** A descriptor of a zone's memory. Throws a system error. */
export function createZoneMemory(name: string, sizeBytes: number): number {
  return createSharedMemory(name, totalBytes(sizeBytes));
}

/** Maps it. Throws a system error. */
export function mapZone(fd: number, sizeBytes: number): ZoneMemory {
  const { words, unmap } = mapSharedMemory(fd, totalBytes(sizeBytes));
  const own = wordsOf(sizeBytes);
  return { words: words.subarray(0, own), ledger: words.subarray(own), unmap };
}
