/** Files as a server needs them: synchronous system calls on descriptors, results as numbers (-errno on failure). */
import type { Memory } from "./memory.ts";

/** Filled by `stat` and `statFd`; one object is reused, so that a request allocates nothing. */
export interface FileInfo {
  sizeBytes: number;
  /** Whole seconds since the epoch. */
  mtimeS: number;
  inode: number;
  isFile: boolean;
  isDirectory: boolean;
  /** Any of the execute bits: nginx's `-x`. */
  isExecutable: boolean;
}

export interface Files {
  /** Read-only, non-blocking, close-on-exec. Returns a descriptor or -errno. */
  open(path: string): number;
  /** Append-only, created with mode 0644. Returns a descriptor or -errno. */
  openAppend(path: string): number;
  close(fd: number): void;
  /** 0 or -errno; `info` is filled on 0. Follows symbolic links. */
  stat(path: string, info: FileInfo): number;
  statFd(fd: number, info: FileInfo): number;
  /** Bytes read at `position` into `memory.bytes[offset …]`, or -errno. */
  read(fd: number, memory: Memory, offset: number, sizeBytes: number, position: number): number;
  /** Bytes appended or -errno. */
  write(fd: number, memory: Memory, offset: number, sizeBytes: number): number;
}
