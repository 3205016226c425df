/** The files port on system calls. Paths are byte strings (one character a byte), as requests and configuration hold them. */
import {
  fchmodSync,
  futimesSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmdirSync,
  statfsSync,
  utimesSync,
} from "node:fs";
import { writeLatin1 } from "../base/bytes.ts";
import type { DirectoryEntry, FileInfo, FileSystemInfo, Files, OpenMode } from "../io/files.ts";
import type { Memory } from "../io/memory.ts";
import { EINTR, EINVAL, ENAMETOOLONG } from "./errno.ts";
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_SYMLINK_NOFOLLOW,
  close,
  F_GETFL,
  F_SETFL,
  fcntl,
  mkdir,
  O_APPEND,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_PATH,
  O_RDONLY,
  O_RDWR,
  O_TRUNC,
  O_WRONLY,
  openat,
  POSIX_FADV_SEQUENTIAL,
  posixFadvise,
  pread,
  pwrite,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  STATX_BASIC_STATS,
  STATX_BLOCKS,
  STATX_BYTES,
  STATX_INO,
  STATX_MODE,
  STATX_MTIME,
  STATX_SIZE,
  STATX_UID,
  statx,
  unlink,
  write,
} from "./ffi/files.ts";
import { errno } from "./ffi/native.ts";
import { allocateMemory } from "./memory.ts";

const PATH_BYTES = 4096;
/** The unit of `stx_blocks`. */
const SECTOR_BYTES = 512;

const MODE_FLAGS: Readonly<Record<OpenMode, number>> = {
  read: O_RDONLY | O_NONBLOCK | O_CLOEXEC,
  append: O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC,
  search: O_PATH | O_DIRECTORY | O_CLOEXEC,
};

/** System calls on files; owns two pages for paths and results. */
export class SystemFiles implements Files {
  private readonly path: Memory = allocateMemory(PATH_BYTES);
  private readonly status: Memory = allocateMemory(STATX_BYTES);
  private readonly fields: DataView;

  constructor() {
    const { bytes } = this.status;
    this.fields = new DataView(bytes.buffer, bytes.byteOffset, STATX_BYTES);
  }

  open(path: string): number {
    return this.openWith(AT_FDCWD, path, MODE_FLAGS.read, 0);
  }

  openAppend(path: string): number {
    return this.openWith(AT_FDCWD, path, MODE_FLAGS.append, 0o644);
  }

  openNew(path: string): number {
    return this.openWith(AT_FDCWD, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600);
  }

  openExisting(path: string): number {
    return this.openWith(AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
  }

  openEmptied(path: string, mode: number): number {
    // Non-blocking, so that a FIFO of that name is an error and not a wait.
    return this.openWith(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_CLOEXEC, mode);
  }

  openAt(directory: number, name: string, mode: OpenMode, follow: boolean): number {
    const flags = MODE_FLAGS[mode] | (follow ? 0 : O_NOFOLLOW);
    return this.openWith(directory < 0 ? AT_FDCWD : directory, name, flags, 0o644);
  }

  close(fd: number): void {
    close(fd);
  }

  stat(path: string, info: FileInfo): number {
    const error = this.setPath(path);
    return error < 0 ? error : this.readStatus(AT_FDCWD, 0, info);
  }

  statLink(path: string, info: FileInfo): number {
    const error = this.setPath(path);
    return error < 0 ? error : this.readStatus(AT_FDCWD, AT_SYMLINK_NOFOLLOW, info);
  }

  statAt(directory: number, name: string, info: FileInfo): number {
    const error = this.setPath(name);
    return error < 0 ? error : this.readStatus(directory < 0 ? AT_FDCWD : directory, AT_SYMLINK_NOFOLLOW, info);
  }

  statFd(fd: number, info: FileInfo): number {
    this.path.bytes[0] = 0;
    return this.readStatus(fd, AT_EMPTY_PATH, info);
  }

  read(fd: number, memory: Memory, offset: number, sizeBytes: number, position: number): number {
    for (;;) {
      const size = pread(fd, memory.address + offset, sizeBytes, position);
      if (size >= 0) return size;
      const error = errno();
      if (error === EINVAL && this.setDirect(fd, false) === 1)
        return this.readThroughCache(fd, memory, offset, sizeBytes, position);
      if (error !== EINTR) return -error;
    }
  }

  /** For once: what is asked for does not begin or end where the file system can read past its cache. nginx: ngx_directio_off. */
  private readThroughCache(fd: number, memory: Memory, offset: number, sizeBytes: number, position: number): number {
    const size = this.read(fd, memory, offset, sizeBytes, position);
    this.setDirect(fd, true);
    return size;
  }

  readDirectly(fd: number): number {
    return Math.min(0, this.setDirect(fd, true));
  }

  /** 1 when that was changed, 0 when it was so before, or -errno. */
  private setDirect(fd: number, isDirect: boolean): number {
    const flags = fcntl(fd, F_GETFL, 0);
    if (flags < 0) return -errno();
    const wanted = isDirect ? flags | O_DIRECT : flags & ~O_DIRECT;
    if (wanted === flags) return 0;
    return fcntl(fd, F_SETFL, wanted) < 0 ? -errno() : 1;
  }

  readAhead(fd: number): number {
    return 0 - posixFadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
  }

  write(fd: number, memory: Memory, offset: number, sizeBytes: number): number {
    for (;;) {
      const size = write(fd, memory.address + offset, sizeBytes);
      if (size >= 0) return size;
      const error = errno();
      if (error !== EINTR) return -error;
    }
  }

  writeAt(fd: number, memory: Memory, offset: number, sizeBytes: number, position: number): number {
    for (;;) {
      const size = pwrite(fd, memory.address + offset, sizeBytes, position);
      if (size >= 0) return size;
      const error = errno();
      if (error !== EINTR) return -error;
    }
  }

  makeFolder(path: string, mode = 0o700): number {
    const error = this.setPath(path);
    if (error < 0) return error;
    return mkdir(this.path.address, mode) < 0 ? -errno() : 0;
  }

  removeFolder(path: string): number {
    return attempt(() => rmdirSync(Buffer.from(path, "latin1")));
  }

  rename(from: string, to: string): number {
    return attempt(() => renameSync(Buffer.from(from, "latin1"), Buffer.from(to, "latin1")));
  }

  changeMode(fd: number, mode: number): number {
    return attempt(() => fchmodSync(fd, mode));
  }

  changeTime(fd: number, mtimeS: number): number {
    return attempt(() => futimesSync(fd, mtimeS, mtimeS));
  }

  changeTimeOf(path: string, mtimeS: number): number {
    return attempt(() => utimesSync(Buffer.from(path, "latin1"), mtimeS, mtimeS));
  }

  unlink(path: string): number {
    const error = this.setPath(path);
    if (error < 0) return error;
    return unlink(this.path.address) < 0 ? -errno() : 0;
  }

  list(path: string): readonly DirectoryEntry[] | number {
    try {
      const entries = readdirSync(Buffer.from(path, "latin1"), { encoding: "latin1", withFileTypes: true });
      return entries.map((entry) => ({ name: entry.name, isFile: entry.isFile(), isDirectory: entry.isDirectory() }));
    } catch (error) {
      return nodeErrno(error);
    }
  }

  realPath(path: string): string | number {
    try {
      return realpathSync.native(Buffer.from(path, "latin1"), "latin1");
    } catch (error) {
      return nodeErrno(error);
    }
  }

  fileSystem(path: string): FileSystemInfo | number {
    try {
      const { bsize, bavail } = statfsSync(Buffer.from(path, "latin1"));
      return { blockBytes: bsize, availableBytes: bavail * bsize };
    } catch (error) {
      return nodeErrno(error);
    }
  }

  private openWith(directory: number, path: string, flags: number, mode: number): number {
    const error = this.setPath(path);
    if (error < 0) return error;
    for (;;) {
      const fd = openat(directory, this.path.address, flags, mode);
      if (fd >= 0) return fd;
      const code = errno();
      if (code !== EINTR) return -code;
    }
  }

  /** 0, or -errno for a path that the kernel would cut or refuse. */
  private setPath(path: string): number {
    if (path.length >= PATH_BYTES) return -ENAMETOOLONG;
    if (path.includes("\0")) return -EINVAL;
    this.path.bytes[writeLatin1(this.path.bytes, path, 0)] = 0;
    return 0;
  }

  private readStatus(directory: number, flags: number, info: FileInfo): number {
    if (statx(directory, this.path.address, flags, STATX_BASIC_STATS, this.status.address) < 0) return -errno();
    const { fields } = this;
    const mode = fields.getUint16(STATX_MODE, true);
    const type = mode & S_IFMT;
    info.sizeBytes = fields.getUint32(STATX_SIZE, true) + fields.getUint32(STATX_SIZE + 4, true) * 2 ** 32;
    info.allocatedBytes =
      SECTOR_BYTES * (fields.getUint32(STATX_BLOCKS, true) + fields.getUint32(STATX_BLOCKS + 4, true) * 2 ** 32);
    info.mtimeS = fields.getUint32(STATX_MTIME, true) + fields.getInt32(STATX_MTIME + 4, true) * 2 ** 32;
    info.inode = fields.getUint32(STATX_INO, true) + fields.getUint32(STATX_INO + 4, true) * 2 ** 32;
    info.ownerId = fields.getUint32(STATX_UID, true);
    info.mode = mode & 0o777;
    info.isFile = type === S_IFREG;
    info.isDirectory = type === S_IFDIR;
    info.isLink = type === S_IFLNK;
    info.isExecutable = (mode & 0o111) !== 0;
    return 0;
  }
}

function nodeErrno(error: unknown): number {
  const code = (error as { errno?: unknown }).errno;
  if (typeof code !== "number") throw error;
  return code;
}

/** What is rare goes through node: 0 or -errno. */
function attempt(call: () => void): number {
  try {
    call();
    return 0;
  } catch (error) {
    return (error as { readonly errno?: number }).errno ?? -EINVAL;
  }
}
