/** Memory that processes share: a file without a name, handed down by descriptor and mapped by each of them. */
import type { SharedLockHost } from "../base/shared-lock.ts";
import type { Memory } from "../io/memory.ts";
import { systemError } from "./errno.ts";
import { close } from "./ffi/files.ts";
import { MAP_FAILED, mmap, PAGE_BYTES, PROT_READ, PROT_WRITE } from "./ffi/memory.ts";
import { bytesAt, errno } from "./ffi/native.ts";
import { ftruncate, MAP_SHARED, MFD_CLOEXEC, memfdCreate, munmap, schedYield } from "./ffi/shared-memory.ts";

/** Of a zone's name, what /proc/PID/maps may show: the kernel takes up to 249 bytes. */
const SHOWN_NAME = 64;

/** A descriptor of `sizeBytes` zeros, for child processes to inherit. Throws a system error. */
export function createSharedMemory(name: string, sizeBytes: number): number {
  const fd = memfdCreate(`nginx ${name.slice(0, SHOWN_NAME)}`, MFD_CLOEXEC);
  if (fd < 0) throw systemError("memfd_create", errno(), name);
  if (ftruncate(fd, sizeBytes) < 0) {
    const code = errno();
    close(fd);
    throw systemError("ftruncate", code, `of ${sizeBytes} bytes for zone "${name}"`);
  }
  return fd;
}

/** A mapping of shared memory. */
export interface SharedMapping {
  readonly memory: Memory;
  readonly words: Int32Array;
  /** The memory must not be touched afterwards. */
  unmap(): void;
}

/** Maps a descriptor's memory; the descriptor may be closed then. Throws a system error. */
export function mapSharedMemory(fd: number, sizeBytes: number): SharedMapping {
  const mappedBytes = Math.ceil(sizeBytes / PAGE_BYTES) * PAGE_BYTES;
  const address = mmap(0, mappedBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (address === MAP_FAILED || address === 0) throw systemError("mmap", errno(), `${mappedBytes} bytes`);
  const bytes = bytesAt(address, mappedBytes);
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, Math.floor(sizeBytes / 4));
  return { memory: { bytes, address }, words, unmap: () => void munmap(address, mappedBytes) };
}

/** How processes that share memory see each other: by process id. */
export const kernelLockHost: SharedLockHost = {
  isAlive: (id) => {
    try {
      process.kill(id, 0);
      return true;
    } catch (error) {
      // It lives, and belongs to somebody else.
      return (error as NodeJS.ErrnoException).code === "EPERM";
    }
  },
  rest: () => {
    schedYield();
  },
};
