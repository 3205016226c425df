/** open(2), close(2), read(2), pread(2), pwrite(2), write(2), statx(2), fcntl(2), posix_fadvise(3) and their constants. */
import { native } from "./native.ts";

export const O_RDONLY = 0;
export const O_WRONLY = 1;
export const O_RDWR = 2;
export const O_CREAT = 0o100;
export const O_EXCL = 0o200;
export const O_TRUNC = 0o1000;
export const O_APPEND = 0o2000;
export const O_NONBLOCK = 0o4000;
export const O_CLOEXEC = 0o2000000;
export const O_PATH = 0o10000000;
/** These differ between architectures: x86 and most others against arm, arm64 and ppc64. */
const swapped = process.arch === "arm" || process.arch === "arm64" || process.arch === "ppc64";
export const O_DIRECTORY = swapped ? 0o40000 : 0o200000;
export const O_NOFOLLOW = swapped ? 0o100000 : 0o400000;
export const O_DIRECT = process.arch === "ppc64" ? 0o400000 : swapped ? 0o200000 : 0o40000;
export const AT_FDCWD = -100;
export const AT_SYMLINK_NOFOLLOW = 0x100;
export const AT_EMPTY_PATH = 0x1000;

export const S_IFMT = 0o170000;
export const S_IFREG = 0o100000;
export const S_IFDIR = 0o040000;
export const S_IFLNK = 0o120000;

/** Everything of stat(2) (STATX_BASIC_STATS). */
export const STATX_BASIC_STATS = 0x7ff;
/** Offsets in `struct statx`, which is the same on every architecture. */
export const STATX_UID = 20;
export const STATX_MODE = 28;
export const STATX_INO = 32;
export const STATX_SIZE = 40;
export const STATX_BLOCKS = 48;
export const STATX_MTIME = 112;
export const STATX_BYTES = 256;

export const openat = native<(directory: number, path: number, flags: number, mode: number) => number>(
  "int openat(int directory, uint64_t path, int flags, uint32_t mode)",
);
export const close = native<(fd: number) => number>("int close(int fd)");
export const read = native<(fd: number, address: number, sizeBytes: number) => number>(
  "long read(int fd, uint64_t buffer, size_t size)",
);
export const pread = native<(fd: number, address: number, sizeBytes: number, position: number) => number>(
  "long pread64(int fd, uint64_t buffer, size_t size, int64_t position)",
);
export const pwrite = native<(fd: number, address: number, sizeBytes: number, position: number) => number>(
  "long pwrite64(int fd, uint64_t buffer, size_t size, int64_t position)",
);
export const write = native<(fd: number, address: number, sizeBytes: number) => number>(
  "long write(int fd, uint64_t buffer, size_t size)",
);
export const statx = native<(directory: number, path: number, flags: number, mask: number, buffer: number) => number>(
  "int statx(int directory, uint64_t path, int flags, unsigned int mask, uint64_t buffer)",
);
export const mkdir = native<(path: number, mode: number) => number>("int mkdir(uint64_t path, unsigned int mode)");
export const unlink = native<(path: number) => number>("int unlink(uint64_t path)");
export const dup2 = native<(from: number, to: number) => number>("int dup2(int from, int to)");
export const fcntl = native<(fd: number, command: number, argument: number) => number>(
  "int fcntl(int fd, int command, long argument)",
);
export const F_SETFD = 2;
export const F_GETFL = 3;
export const F_SETFL = 4;
export const F_GETFD = 1;
export const FD_CLOEXEC = 1;
/** Duplicates to the lowest free descriptor from the argument on. */
export const F_DUPFD_CLOEXEC = 1030;
/** Returns the errno itself. */
export const posixFadvise = native<(fd: number, offset: number, sizeBytes: number, advice: number) => number>(
  "int posix_fadvise(int fd, int64_t offset, int64_t size, int advice)",
);
export const POSIX_FADV_SEQUENTIAL = 2;
