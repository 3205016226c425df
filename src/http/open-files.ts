/**
 * Files that answers are made of: opened, described, and with `open_file_cache` kept open between requests.
 * Counterpart in nginx: ngx_open_file_cache.c.
 */
import type { Clock } from "../base/clock.ts";
import { emptyFileInfo, type FileInfo, type Files } from "../io/files.ts";

/** `open_file_cache` and its companions, per location. */
export interface OpenFileCacheSettings {
  readonly max: number;
  readonly inactiveMs: number;
  readonly validMs: number;
  readonly minUses: number;
  readonly errors: boolean;
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
  /** Requests that use it, and whether the cache holds it. */
  users = 1;
  cached = false;
  uses = 1;
  /** Uses from which on the descriptor stays open between requests. */
  minUses = 1;
  checkedMs = 0;
  usedMs = 0;

  constructor(path: string) {
    this.path = path;
  }
}

/** One cache per worker and size; nginx makes one per `open_file_cache` line, which nobody can tell. */
class Cache {
  readonly entries = new Map<string, OpenFile>();
}

export class OpenFiles {
  private readonly files: Files;
  private readonly clock: Clock;
  private readonly info: FileInfo = emptyFileInfo();
  private readonly caches = new WeakMap<OpenFileCacheSettings, Cache>();

  constructor(files: Files, clock: Clock) {
    this.files = files;
    this.clock = clock;
  }

  /** Describes a path and opens it when it is a file. `release` the result. */
  open(path: string, settings: OpenFileCacheSettings | undefined): OpenFile {
    if (settings === undefined) return this.openNow(path);
    let cache = this.caches.get(settings);
    if (cache === undefined) {
      cache = new Cache();
      this.caches.set(settings, cache);
    }
    const now = this.clock.now();
    const known = cache.entries.get(path);
    if (known !== undefined) {
      if (now - known.checkedMs < settings.validMs || this.isUnchanged(known)) {
        if (now - known.checkedMs >= settings.validMs) known.checkedMs = now;
        if (known.isFile && known.fd < 0) known.fd = Math.max(-1, this.files.open(path));
        known.users++;
        known.uses++;
        known.usedMs = now;
        // The order of a Map is the order of use.
        cache.entries.delete(path);
        cache.entries.set(path, known);
        return known;
      }
      this.drop(cache, known);
    }
    const file = this.openNow(path);
    if (file.errno !== 0 && !settings.errors) return file;
    file.checkedMs = now;
    file.usedMs = now;
    file.cached = true;
    file.minUses = settings.minUses;
    cache.entries.set(path, file);
    this.trim(cache, settings, now);
    return file;
  }

  /** The request needs it no more. */
  release(file: OpenFile): void {
    if (--file.users === 0 && (!file.cached || file.uses < file.minUses)) this.close(file);
  }

  private openNow(path: string): OpenFile {
    const file = new OpenFile(path);
    const fd = this.files.open(path);
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
    else file.fd = fd;
    return file;
  }

  /** What a path is, without opening it: for `try_files` and index tests. 0 or errno; the result is in `file`. */
  test(path: string, settings: OpenFileCacheSettings | undefined): OpenFile {
    if (settings !== undefined) return this.open(path, settings);
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

  private isUnchanged(file: OpenFile): boolean {
    const { info } = this;
    const result = this.files.stat(file.path, info);
    if (result < 0) return file.errno === -result;
    return (
      file.errno === 0 &&
      info.inode === file.inode &&
      info.mtimeS === file.mtimeS &&
      info.sizeBytes === file.sizeBytes &&
      info.isDirectory === file.isDirectory
    );
  }

  private trim(cache: Cache, settings: OpenFileCacheSettings, now: number): void {
    for (const file of cache.entries.values()) {
      const idle = now - file.usedMs > settings.inactiveMs;
      if (cache.entries.size <= settings.max && !idle) break;
      this.drop(cache, file);
    }
  }

  private drop(cache: Cache, file: OpenFile): void {
    cache.entries.delete(file.path);
    file.cached = false;
    if (file.users === 0) this.close(file);
  }

  private close(file: OpenFile): void {
    if (file.fd >= 0) this.files.close(file.fd);
    file.fd = -1;
  }
}
