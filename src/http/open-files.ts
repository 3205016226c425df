/**
 * Files that answers are made of: opened, described, and with `open_file_cache` kept open between requests.
 * Counterpart in nginx: ngx_open_file_cache.c.
 */
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { emptyFileInfo, type FileInfo, type Files } from "../io/files.ts";
import { isSameCheck, type LinkCheck, openChecked, type StepByStep } from "../net/link-checks.ts";

/** An `open_file_cache` line: places that have the same line share a cache. */
export interface FileCacheLine {
  readonly max: number;
  readonly inactiveMs: number;
}

/** `open_file_cache` and its companions, per location. */
export interface OpenFileCacheSettings {
  readonly line: FileCacheLine;
  readonly validMs: number;
  readonly minUses: number;
  readonly errors: boolean;
}

/** What is done with a file once it is open: `read_ahead` and `directio`, by the file's size. */
export interface FileUse {
  readonly readAheadAbove: number;
  readonly directFrom: number;
}

/** What is known of a path. Errors and directories have no descriptor. */
export class OpenFile {
  readonly path: string;
  fd = -1;
  /** 0, or the errno of the failed call. */
  errno = 0;
  failedCall = "open()";
  isFile = false;
  isDirectory = false;
  isExecutable = false;
  sizeBytes = 0;
  mtimeS = 0;
  inode = 0;
  /** Requests that use it, and the cache that holds it. */
  users = 1;
  cache: Cache | undefined = undefined;
  uses = 1;
  /** Uses from which on the descriptor stays open between requests. */
  minUses = 1;
  checkedMs = 0;
  usedMs = 0;
  /** Which symbolic links its path was allowed to have. */
  readonly links: LinkCheck | undefined;

  constructor(path: string, links?: LinkCheck) {
    this.path = path;
    this.links = links;
  }

  /** A file whose descriptor was closed because it was used too seldom. */
  get isClosed(): boolean {
    return this.fd < 0 && this.errno === 0 && !this.isDirectory;
  }
}

/** The entries of one cache in the order of their use. */
class Cache {
  readonly line: FileCacheLine;
  readonly entries = new Map<string, OpenFile>();

  constructor(line: FileCacheLine) {
    this.line = line;
  }

  /** Makes it the entry that was used last. */
  put(file: OpenFile, now: number): void {
    file.cache = this;
    file.usedMs = now;
    this.entries.delete(file.path);
    this.entries.set(file.path, file);
  }
}

/** What it takes to open files. */
export type OpeningFiles = StepByStep & Pick<Files, "open" | "stat" | "readAhead" | "readDirectly">;

/** Unused entries that go with each use of the cache; nginx: one or two. */
const IDLE_AT_ONCE = 2;

export class OpenFiles {
  private readonly files: OpeningFiles;
  private readonly clock: Clock;
  private readonly info: FileInfo = emptyFileInfo();
  private readonly caches = new WeakMap<FileCacheLine, Cache>();
  private readonly log: Log;
  /** Descriptors that are read past the kernel's cache: nothing for sendfile. */
  private readonly direct = new Set<number>();

  constructor(files: OpeningFiles, clock: Clock, log: Log) {
    this.files = files;
    this.clock = clock;
    this.log = log;
  }

  /** True for a descriptor that `directio` has to do with. */
  isDirect(fd: number): boolean {
    return this.direct.size > 0 && this.direct.has(fd);
  }

  /** Describes a path and opens it when it is a file. `links`: which symbolic links it may have; `use`: what is done with the file. `release` the result. */
  open(path: string, settings: OpenFileCacheSettings | undefined, links?: LinkCheck, use?: FileUse): OpenFile {
    if (settings === undefined) return this.openNow(path, links, use);
    const cache = this.cacheOf(settings.line);
    const now = this.clock.now();
    const known = cache.entries.get(path);
    if (known === undefined) return this.enter(cache, this.openNow(path, links, use), settings, now, undefined);
    known.uses++;
    const isFresh = now - known.checkedMs < settings.validMs;
    if (!known.isClosed && isSameCheck(known.links, links) && (isFresh || this.isSame(known))) {
      if (now - known.checkedMs >= settings.validMs) known.checkedMs = now;
      known.users++;
      known.minUses = settings.minUses;
      cache.put(known, now);
      return known;
    }
    return this.enter(cache, this.openAgain(known, links, use), settings, now, known);
  }

  private cacheOf(line: FileCacheLine): Cache {
    let cache = this.caches.get(line);
    if (cache === undefined) {
      cache = new Cache(line);
      this.caches.set(line, cache);
    }
    return cache;
  }

  /** Keeps what was found, in the place of what was known before. */
  private enter(
    cache: Cache,
    file: OpenFile,
    settings: OpenFileCacheSettings,
    now: number,
    known: OpenFile | undefined,
  ): OpenFile {
    if (known !== undefined) {
      // Somebody who still uses what was known keeps it; else the entry has only changed.
      if (known.users === 0) file.uses = known.uses;
      this.drop(cache, known);
    }
    if (file.errno !== 0 && !settings.errors) return file;
    if (cache.entries.size >= cache.line.max) {
      this.drop(cache, cache.entries.values().next().value as OpenFile);
      this.dropIdle(cache, now);
    }
    file.checkedMs = now;
    file.minUses = settings.minUses;
    cache.put(file, now);
    return file;
  }

  /** The request needs it no more. */
  release(file: OpenFile): void {
    file.users--;
    const { cache } = file;
    if (cache === undefined) {
      if (file.users === 0) this.close(file);
      return;
    }
    if (file.users === 0 && file.uses < file.minUses) this.close(file);
    if (file.fd < 0 && !file.isClosed) return;
    const now = this.clock.now();
    cache.put(file, now);
    this.dropIdle(cache, now);
  }

  private dropIdle(cache: Cache, now: number): void {
    let left = IDLE_AT_ONCE;
    for (const file of cache.entries.values()) {
      if (left-- === 0 || now - file.usedMs <= cache.line.inactiveMs) return;
      this.drop(cache, file);
    }
  }

  /** nginx: the end of ngx_open_and_stat_file. */
  private prepare({ fd, path, sizeBytes }: OpenFile, { readAheadAbove, directFrom }: FileUse): void {
    if (sizeBytes > readAheadAbove) {
      const error = -this.files.readAhead(fd);
      if (error !== 0)
        this.log.write("alert", `posix_fadvise(POSIX_FADV_SEQUENTIAL) "${path}" failed`, { errno: error });
    }
    if (sizeBytes < directFrom) return;
    const error = -this.files.readDirectly(fd);
    if (error === 0) this.direct.add(fd);
    else this.log.write("alert", `fcntl(O_DIRECT) "${path}" failed`, { errno: error });
  }

  /** A descriptor of the file's path, or -errno. */
  private openPath(file: OpenFile): number {
    const { path, links } = file;
    if (links === undefined) return this.files.open(path);
    const { fd, call } = openChecked(this.files, path, links, "read");
    file.failedCall = call;
    return fd;
  }

  private openNow(path: string, links: LinkCheck | undefined, use: FileUse | undefined): OpenFile {
    const file = new OpenFile(path, links);
    const fd = this.openPath(file);
    if (fd < 0) {
      file.errno = -fd;
      return file;
    }
    const { info } = this;
    const result = this.files.statFd(fd, info);
    if (result < 0) {
      this.files.close(fd);
      file.errno = -result;
      file.failedCall = "fstat()";
      return file;
    }
    this.describe(file);
    if (info.isDirectory) this.files.close(fd);
    else {
      file.fd = fd;
      if (use !== undefined) this.prepare(file, use);
    }
    return file;
  }

  /** What is there now that isn't what was known. */
  private openAgain(known: OpenFile, links: LinkCheck | undefined, use: FileUse | undefined): OpenFile {
    if (links !== undefined || known.errno !== 0 || known.isClosed) return this.openNow(known.path, links, use);
    const file = this.test(known.path, undefined);
    return file.errno === 0 ? this.openNow(known.path, undefined, use) : file;
  }

  /** What a path is, without opening it: for `try_files` and index tests. 0 or errno; the result is in `file`. */
  test(path: string, settings: OpenFileCacheSettings | undefined, links?: LinkCheck): OpenFile {
    if (settings !== undefined) return this.open(path, settings, links);
    if (links !== undefined) {
      const opened = this.openNow(path, links, undefined);
      this.release(opened);
      return opened;
    }
    const file = new OpenFile(path);
    const result = this.files.stat(path, this.info);
    if (result < 0) {
      file.errno = -result;
      file.failedCall = "stat()";
    } else this.describe(file);
    return file;
  }

  private describe(file: OpenFile): void {
    const { info } = this;
    file.isFile = info.isFile;
    file.isDirectory = info.isDirectory;
    file.isExecutable = info.isExecutable;
    file.sizeBytes = info.sizeBytes;
    file.mtimeS = info.mtimeS;
    file.inode = info.inode;
  }

  /** The file, or a folder, is the one that is known; its size and time may be new. */
  private isSame(file: OpenFile): boolean {
    // Looking must not follow links either: it is opened anew.
    if (file.errno !== 0 || file.links !== undefined) return false;
    const { info } = this;
    if (this.files.stat(file.path, info) < 0) return false;
    const same = file.isDirectory ? info.isDirectory : info.inode === file.inode && !info.isDirectory;
    if (same) this.describe(file);
    return same;
  }

  private drop(cache: Cache, file: OpenFile): void {
    cache.entries.delete(file.path);
    file.cache = undefined;
    if (file.users === 0) this.close(file);
  }

  private close(file: OpenFile): void {
    if (file.fd >= 0) {
      this.files.close(file.fd);
      this.direct.delete(file.fd);
    }
    file.fd = -1;
  }
}
