/** Memory from the kernel: anonymous private mappings, which never move and are given back only by the end of the process. */
import type { Memory, MemorySource } from "../io/memory.ts";
import { ENOMEM, systemError } from "./errno.ts";
import {
  freeHeapBytes,
  MAP_ANONYMOUS,
  MAP_FAILED,
  MAP_PRIVATE,
  mmap,
  munmap,
  PAGE_BYTES,
  PROT_READ,
  PROT_WRITE,
} from "./ffi/memory.ts";
import { addressOf, bytesAt } from "./ffi/native.ts";

/** Zeroed pages for at least `sizeBytes`. Throws a system error (ENOMEM) when the kernel has none left. */
export function allocateMemory(sizeBytes: number): Memory {
  const mappedBytes = Math.max(PAGE_BYTES, Math.ceil(sizeBytes / PAGE_BYTES) * PAGE_BYTES);
  const address = mmap(0, mappedBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (address === MAP_FAILED || address === 0) throw systemError("mmap", ENOMEM, `${mappedBytes} bytes`);
  return { bytes: bytesAt(address, mappedBytes), address };
}

function hasRoom(sizeBytes: number): boolean {
  const address = mmap(0, sizeBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (address === MAP_FAILED || address === 0) return false;
  munmap(address, sizeBytes);
  return true;
}

/** More than a process that is short of memory can have. */
const TOO_MANY_BYTES = 2 ** 32;

/** V8 collects all it can before it gives up on an array's bytes. */
function collect(): void {
  try {
    new ArrayBuffer(TOO_MANY_BYTES);
  } catch {
    // That there is no room for them was known.
  }
}

function allocateCollected(sizeBytes: number): Memory {
  // Not an array of a size: V8 would put a small one on its heap, where it moves.
  const bytes = new Uint8Array(new ArrayBuffer(sizeBytes));
  return { bytes, address: addressOf(bytes) };
}

/** The memory source of a worker. */
export const kernelMemory: MemorySource = {
  allocate: allocateMemory,
  allocateCollected,
  hasRoom,
  keptBytes: freeHeapBytes,
  collect,
};
