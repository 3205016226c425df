/**
 * Log files whose names have variables, kept open between requests: `open_log_file_cache`. Counterpart in nginx:
 * ngx_open_file_cache.c as ngx_http_log_module.c uses it.
 */
import type { Clock } from "../base/clock.ts";
import { emptyFileInfo, type Files } from "../io/files.ts";
import { isSameCheck, type LinkCheck, openChecked } from "./link-checks.ts";

export interface LogFileCacheSettings {
  /** Files that are kept; the one that was not used for longest gives way. */
  readonly max: number;
  /** A file that was not used for so long is closed. */
  readonly inactiveMs: number;
  /** A file that was used less often is closed behind each line. */
  readonly minUses: number;
  /** After so long the name is looked up again: a file that was moved away is left to whoever moved it. */
  readonly validMs: number;
}

interface Entry {
  /** -1 while it is closed. */
  fd: number;
  inode: number;
  uses: number;
  usedMs: number;
  checkedMs: number;
  links: LinkCheck | undefined;
}

/** Entries that are looked at for their age with each line. */
const AGED_AT_ONCE = 2;

/** A descriptor to append to, or -errno. */
export function openLog(files: Files, path: string, links: LinkCheck | undefined): number {
  return links === undefined ? files.openAppend(path) : openChecked(files, path, links, "append").fd;
}

export class LogFileCache {
  private readonly files: Files;
  private readonly clock: Clock;
  private readonly settings: LogFileCacheSettings;
  /** The one that was not used for longest first. */
  private readonly entries = new Map<string, Entry>();
  private readonly info = emptyFileInfo();

  constructor(files: Files, clock: Clock, settings: LogFileCacheSettings) {
    this.files = files;
    this.clock = clock;
    this.settings = settings;
  }

  /** A descriptor to append to, or -errno. Given back with `release`. */
  open(path: string, links?: LinkCheck): number {
    const now = this.clock.now();
    const entry = this.entries.get(path) ?? { fd: -1, inode: 0, uses: 0, usedMs: now, checkedMs: now, links };
    this.entries.delete(path);
    this.closeAged(now);
    if (!isSameCheck(entry.links, links)) this.close(entry);
    if (entry.fd >= 0 && now - entry.checkedMs >= this.settings.validMs) this.check(path, entry, now);
    if (entry.fd < 0) {
      const fd = openLog(this.files, path, links);
      if (fd < 0) return fd;
      entry.links = links;
      entry.fd = fd;
      entry.inode = this.files.statFd(fd, this.info) < 0 ? 0 : this.info.inode;
      entry.checkedMs = now;
    }
    entry.uses++;
    entry.usedMs = now;
    this.entries.set(path, entry);
    return entry.fd;
  }

  /** The line has been written. */
  release(path: string): void {
    const entry = this.entries.get(path);
    if (entry !== undefined && entry.uses < this.settings.minUses) this.close(entry);
  }

  /** Closes all: the next line opens its file by name. */
  clear(): void {
    for (const entry of this.entries.values()) this.close(entry);
    this.entries.clear();
  }

  private check(path: string, entry: Entry, now: number): void {
    // Looking must not follow links either: it is opened anew.
    const isSame =
      entry.links === undefined && this.files.stat(path, this.info) >= 0 && this.info.inode === entry.inode;
    if (isSame) entry.checkedMs = now;
    else this.close(entry);
  }

  private closeAged(now: number): void {
    const { max, inactiveMs } = this.settings;
    let looked = 0;
    for (const [path, entry] of this.entries) {
      const isAged = now - entry.usedMs >= inactiveMs;
      if (!isAged && this.entries.size < max) return;
      this.close(entry);
      this.entries.delete(path);
      if (++looked === AGED_AT_ONCE && this.entries.size < max) return;
    }
  }

  private close(entry: Entry): void {
    if (entry.fd < 0) return;
    this.files.close(entry.fd);
    entry.fd = -1;
  }
}
