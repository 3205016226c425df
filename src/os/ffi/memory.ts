/** mmap(2), munmap(2). */
import { hasNative, native, nativeStruct } from "./native.ts";

/** The smallest page of the supported architectures; larger ones are multiples, and the kernel rounds up. */
export const PAGE_BYTES = 4096;
export const PROT_READ = 1;
export const PROT_WRITE = 2;
export const MAP_SHARED = 0x01;
export const MAP_PRIVATE = 0x02;
export const MAP_ANONYMOUS = 0x20;
export const MAP_POPULATE = 0x8000;
/** (void *) -1 as koffi returns it for an unsigned address; compare with what `mmap` gives back. */
export const MAP_FAILED = 2 ** 64;

const rawMmap = native<
  (address: number, sizeBytes: number, protection: number, flags: number, fd: number, offset: number) => number | bigint
>("uint64_t mmap(uint64_t address, size_t length, int protection, int flags, int fd, long offset)");

/** The address of the mapping, or MAP_FAILED. */
export function mmap(
  address: number,
  sizeBytes: number,
  protection: number,
  flags: number,
  fd: number,
  offset: number,
): number {
  return Number(rawMmap(address, sizeBytes, protection, flags, fd, offset));
}

/** Views of the memory must not be used any more. */
export const munmap = native<(address: number, sizeBytes: number) => number>(
  "int munmap(uint64_t address, size_t length)",
);

/** What `malloc` says of itself, in order. */
const HEAP_WORDS = [
  "arena",
  "ordblks",
  "smblks",
  "hblks",
  "hblkhd",
  "usmblks",
  "fsmblks",
  "uordblks",
  "fordblks",
  "keepcost",
] as const;

/** Bytes that `malloc` holds and nobody uses: given back by those who had them, but not to the kernel. 0 where it does not say (musl). */
export const freeHeapBytes: () => number = (() => {
  if (!hasNative("mallinfo2")) return () => 0;
  const members = Object.fromEntries(HEAP_WORDS.map((word) => [word, "size_t"])) as Record<
    (typeof HEAP_WORDS)[number],
    string
  >;
  const mallinfo2 = nativeStruct("mallinfo2", members);
  return () => mallinfo2().fordblks;
})();
