/**
 * Looks through the folder of a cache and makes the keys of the files that are there known: of a server that was stopped, or of
 * nginx. What is no file of a cache is deleted. Counterpart in nginx: ngx_http_file_cache_loader.
 */
import type { Bytes } from "../base/bytes.ts";
import type { Log } from "../base/log.ts";
import { emptyFileInfo, type Files } from "../io/files.ts";
import { CACHE_HEADER_BYTES, CACHE_KEY_BYTES } from "../wire/cache/file-header.ts";
import type { FileCache } from "./file-cache.ts";

const NAME_LENGTH = 2 * CACHE_KEY_BYTES;
/** A file that is being written beside its place has a dot and ten digits behind its name. */
const UNFINISHED = /\.[^/]{10}$/;
/** nginx leaves such folders below a cache alone. */
const TEMPORARY_FOLDER = "/temp";

export class CacheLoader {
  private readonly cache: FileCache;
  private readonly files: Files;
  private readonly log: Log;
  private readonly info = emptyFileInfo();
  /** Folders that are still to be looked into. */
  private readonly folders: string[];
  /** What is left of the present one. */
  private entries: { readonly path: string; readonly isFile: boolean; readonly isDirectory: boolean }[] = [];
  /** When it was last said that there is no room, s. */
  private complainedS = 0;

  constructor(cache: FileCache, files: Files, log: Log) {
    this.cache = cache;
    this.files = files;
    this.log = log;
    this.folders = [cache.line.path];
  }

  /** Looks at files, as many and as long as `loader_files` and `loader_threshold` let it. True when it has seen all. */
  step(clock: () => number): boolean {
    const { files, thresholdMs } = this.cache.line.loader;
    const began = clock();
    for (let seen = 0; seen < Math.max(1, files); ) {
      const entry = this.entries.pop();
      if (entry === undefined) {
        const folder = this.folders.pop();
        if (folder === undefined) return true;
        this.enter(folder);
        continue;
      }
      if (entry.isDirectory) {
        if (!entry.path.endsWith(TEMPORARY_FOLDER)) this.folders.push(entry.path);
        continue;
      }
      seen++;
      if (!entry.isFile || !this.add(entry.path)) this.delete(entry.path);
      if (clock() - began >= thresholdMs) break;
    }
    return false;
  }

  /** Tells what has been found, when all has. */
  report(): void {
    const { keys, line, blockBytes } = this.cache;
    const megabytes = ((keys.blocks * blockBytes) / (1024 * 1024)).toFixed(3);
    this.log.write("notice", `http file cache: ${line.path} ${megabytes}M, bsize: ${blockBytes}`);
  }

  private enter(folder: string): void {
    const listed = this.files.list(folder);
    if (typeof listed === "number") {
      this.log.write("crit", `opendir() "${folder}" failed`, { errno: -listed });
      return;
    }
    this.entries = listed.map(({ name, isFile, isDirectory }) => ({ path: `${folder}/${name}`, isFile, isDirectory }));
  }

  /** False when it is no file of a cache, or there is no room for its key. */
  private add(path: string): boolean {
    if (path.length < NAME_LENGTH) return false;
    if (path.length > NAME_LENGTH + UNFINISHED_LENGTH && UNFINISHED.test(path)) return true;
    const known = this.files.stat(path, this.info);
    if (known < 0) {
      this.log.write("crit", `stat() "${path}" failed`, { errno: -known });
      return true;
    }
    if (this.info.sizeBytes < CACHE_HEADER_BYTES) {
      this.log.write("crit", `cache file "${path}" is too small`);
      return false;
    }
    const key = keyOf(path.slice(-NAME_LENGTH));
    if (key === undefined) return false;
    const { cache } = this;
    const now = cache.nowS();
    if (cache.keys.add(key, cache.blocksOf(this.info.allocatedBytes), now, cache.line.inactiveS)) return true;
    if (this.complainedS !== now) cache.complainOfRoom();
    this.complainedS = now;
    return false;
  }

  private delete(path: string): void {
    const result = this.files.unlink(path);
    if (result < 0) this.log.write("crit", `unlink() "${path}" failed`, { errno: -result });
  }
}

const UNFINISHED_LENGTH = 10;

/** The key that a file is named by. */
function keyOf(name: string): Bytes | undefined {
  if (!/^[0-9a-f]{32}$/i.test(name)) return undefined;
  return Uint8Array.from({ length: CACHE_KEY_BYTES }, (_, i) => Number.parseInt(name.slice(2 * i, 2 * i + 2), 16));
}
