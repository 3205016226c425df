/**
 * Files as a server needs them: synchronous system calls on descriptors, results as numbers (-errno on failure).
 * Paths are byte strings, one character a byte (ISO 8859-1 of the bytes on disk), as requests and configuration hold them.
 */
import type { Memory } from "./memory.ts";

/** Filled by `stat`, `statLink` and `statFd`; one object is reused, so that a request allocates nothing. */
export interface FileInfo {
  sizeBytes: number;
  /** What it takes of the file system. */
  allocatedBytes: number;
  /** Whole seconds since the epoch. */
  mtimeS: number;
  inode: number;
  /** The user id of the owner. */
  ownerId: number;
  /** Who may do what with it: the nine bits of `rwxrwxrwx`. */
  mode: number;
  isFile: boolean;
  isDirectory: boolean;
  /** A symbolic link: only `statLink` can see one. */
  isLink: boolean;
  /** Any of the execute bits: nginx's `-x`. */
  isExecutable: boolean;
}

/** A `FileInfo` to be filled. */
export function emptyFileInfo(): FileInfo {
  return {
    sizeBytes: 0,
    allocatedBytes: 0,
    mtimeS: 0,
    inode: 0,
    ownerId: 0,
    mode: 0,
    isFile: false,
    isDirectory: false,
    isLink: false,
    isExecutable: false,
  };
}

/** A file system. */
export interface FileSystemInfo {
  /** Files take a multiple of it. */
  readonly blockBytes: number;
  /** Bytes that are free for everybody. */
  readonly availableBytes: number;
}

export interface DirectoryEntry {
  readonly name: string;
  /** By the type of the entry itself: both are false for a symbolic link. */
  readonly isFile: boolean;
  readonly isDirectory: boolean;
}

/** What for: reading, as `open`; appending, as `openAppend`; to go on from there, for which a directory need not be readable. */
export type OpenMode = "read" | "append" | "search";

export interface Files {
  /** Read-only, non-blocking, close-on-exec. Returns a descriptor or -errno. */
  open(path: string): number;
  /** Append-only, created with mode 0644. Returns a descriptor or -errno. */
  openAppend(path: string): number;
  /** For reading and writing, mode 0600; -EEXIST (17) when there is one of that name. Returns a descriptor or -errno. */
  openNew(path: string): number;
  /** For reading and writing, when it is there. Returns a descriptor or -errno. */
  openExisting(path: string): number;
  /** For writing, made with `mode` or emptied. Returns a descriptor or -errno. */
  openEmptied(path: string, mode: number): number;
  /**
   * One step of a path: `name` below an open directory (-1: the working directory). Without `follow` a symbolic link is refused
   * (-ELOOP, 40; -ENOTDIR, 20 when a directory is searched).
   */
  openAt(directory: number, name: string, mode: OpenMode, follow: boolean): number;
  close(fd: number): void;
  /** 0 or -errno; `info` is filled on 0. Follows symbolic links. */
  stat(path: string, info: FileInfo): number;
  /** The same, of a symbolic link itself. */
  statLink(path: string, info: FileInfo): number;
  /** The same, below an open directory. */
  statAt(directory: number, name: string, info: FileInfo): number;
  statFd(fd: number, info: FileInfo): number;
  /** Bytes read at `position` into `memory.bytes[offset …]`, or -errno. */
  read(fd: number, memory: Memory, offset: number, sizeBytes: number, position: number): number;
  /** From now on the file is read past the kernel's cache, where the file system can. 0 or -errno. */
  readDirectly(fd: number): number;
  /** The file will be read from its beginning to its end. 0 or -errno. */
  readAhead(fd: number): number;
  /** Bytes appended or -errno. */
  write(fd: number, memory: Memory, offset: number, sizeBytes: number): number;
  /** Bytes written at `position`, or -errno. */
  writeAt(fd: number, memory: Memory, offset: number, sizeBytes: number, position: number): number;
  /** With mode 0700 unless told otherwise. 0 or -errno. */
  makeFolder(path: string, mode?: number): number;
  /** Removes an empty folder. 0 or -errno. */
  removeFolder(path: string): number;
  /** Moves a file over another one of the same file system, or a folder over an empty one. 0 or -errno. */
  rename(from: string, to: string): number;
  /** 0 or -errno. */
  changeMode(fd: number, mode: number): number;
  /** Sets when it was modified, in whole seconds since the epoch. 0 or -errno. */
  changeTime(fd: number, mtimeS: number): number;
  /** The same by name. */
  changeTimeOf(path: string, mtimeS: number): number;
  /** 0 or -errno. */
  unlink(path: string): number;
  /** The file system that a path is on, or -errno. */
  fileSystem(path: string): FileSystemInfo | number;
  /** The entries of a directory without `.` and `..`, in no order; or -errno. */
  list(path: string): readonly DirectoryEntry[] | number;
  /** The path without symbolic links, or -errno. */
  realPath(path: string): string | number;
}
