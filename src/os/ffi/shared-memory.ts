/** memfd_create(2), ftruncate(2), munmap(2), sched_yield(2); mmap(2) stands in `memory.ts`. */
import { native } from "./native.ts";

export const MFD_CLOEXEC = 1;
export const MAP_SHARED = 0x01;

export const memfdCreate = native<(name: string, flags: number) => number>(
  "int memfd_create(const char *name, unsigned int flags)",
);
export const ftruncate = native<(fd: number, sizeBytes: number) => number>("int ftruncate64(int fd, int64_t size)");
export const munmap = native<(address: number, sizeBytes: number) => number>(
  "int munmap(uint64_t address, size_t length)",
);
export const schedYield = native<() => number>("int sched_yield(void)");
