/**
 * What a request has with a cache: its key, the file that is there, the promise to renew it, and the file that it makes.
 * Counterpart in nginx: ngx_http_cache_t and the first half of ngx_http_file_cache.c.
 *
 * A request that has entered a key leaves it in any case: with a new file (`store`), or without (`leave`).
 */
import { type Bytes, equalBytes, fromLatin1 } from "../base/bytes.ts";
import { crc32 } from "../base/hash-crc32.ts";
import { md5 } from "../base/hash-md5.ts";
import type { Level } from "../base/log.ts";
import { emptyFileInfo } from "../io/files.ts";
import type { Memory } from "../io/memory.ts";
import { KEY_KNOWN, KEY_NEW, KEY_NO_ROOM, KEY_SCARCE, KeyUse } from "../net/cache-keys.ts";
import {
  CACHE_HEADER_BYTES,
  CACHE_KEY_BYTES,
  type CacheFileHeader,
  decodeCacheHeader,
  encodeCacheHeader,
  KEY_MARK,
  MAX_OFFSET,
} from "../wire/cache/file-header.ts";
import { HEAD } from "../wire/http1/methods.ts";
import { Freshness } from "./cache-freshness.ts";
import type { CacheRules } from "./cache-rules.ts";
import { variantOf } from "./cache-vary.ts";
import type { FileCache } from "./file-cache.ts";
import { moveFile } from "./file-moves.ts";
import type { Request } from "./request.ts";
import { TemporaryFile, type TemporaryFolder } from "./temporary-file.ts";

/** `$upstream_cache_status` by number. */
export const CACHE_STATUSES = ["", "MISS", "BYPASS", "EXPIRED", "STALE", "UPDATING", "REVALIDATED", "HIT"] as const;
export const MISS = 1;
export const BYPASS = 2;
export const EXPIRED = 3;
export const STALE = 4;
export const UPDATING = 5;
export const REVALIDATED = 6;
export const HIT = 7;

// What `open` says; or a status from 100 on, which is remembered without a file.
/** The file is there, and fresh. */
export const FILE_FRESH = 0;
/** There is none: the answer shall be kept. */
export const FILE_ABSENT = 1;
/** There is none, and the answer shall not be kept. */
export const FILE_SCARCE = 2;
/** It is old, and this request renews it. */
export const FILE_STALE = 3;
/** It is old, and somebody else renews it. */
export const FILE_UPDATING = 4;
/** Somebody else fetches it: wait. */
export const FILE_BUSY = 5;
/** It can't be told. */
export const FILE_FAILED = 6;
/** There is none at that path. */
const NOT_THERE = -1;

const ENOENT = 2;
const ENOTDIR = 20;
/** Room for the answer's head that the key must leave in the buffer. nginx's number. */
const HEAD_ROOM_BYTES = 256;
const OWNER_FOLDERS = 0o700;
const NO_BYTES: Bytes = new Uint8Array(0);
const NO_VARIANT: Bytes = new Uint8Array(CACHE_KEY_BYTES);
/** So much of a body is read together with its head. */
const SMALL_BODY_BYTES = 16 * 1024;
const NEWLINE: Bytes = fromLatin1("\n");

/** A file that is begun. */
export interface NewFile {
  /** The answer's head, as it came. */
  readonly head: Bytes;
  /** -1: unknown. */
  readonly lastModifiedS: number;
  /** "" for none. */
  readonly etag: string;
  /** Where it is written, unless the cache says otherwise. */
  readonly folder: TemporaryFolder;
}

export class CacheUse {
  readonly rules: CacheRules;
  readonly cache: FileCache;
  /** Of CACHE_STATUSES. */
  status = MISS;
  readonly freshness = new Freshness();
  /** The answer to HEAD is fetched with GET. */
  readonly convertsHead: boolean;
  /** Where in a file the answer's head begins. */
  readonly headerStart: number;
  /** Where its body begins: of the file that is there, or that is made. */
  bodyStart: number;
  /** Bytes of the file that is there. */
  length = 0;
  fd = -1;
  /** The first bytes of it, its head among them; all of a small one. */
  bytes: Bytes = NO_BYTES;
  lastModifiedS = -1;
  etag = "";
  /** What is sent is the file that is there. */
  isCached = false;
  /** An old file may be used while it is renewed, and when that fails, because it says so itself. */
  allowsUpdating = false;
  allowsError = false;
  /** The update that this request has promised is done by its background subrequest. */
  updatesBehind = false;
  /** Until then somebody else's update is waited for, ms; 0: not yet. */
  waitUntilMs = 0;
  lockTimeoutMs: number;
  private readonly request: Request;
  private readonly bufferSize: number;
  private readonly keyBytes: Bytes;
  private readonly crc: number;
  private readonly mainKey: Bytes;
  private key: Bytes;
  private readonly use = new KeyUse();
  private variant: Bytes = NO_VARIANT;
  private inode = 0;
  private dateS = 0;
  /** The variant's own key is in use. */
  private secondary = false;
  /** Of a promised update: its number. */
  private lockMs: number | undefined = undefined;
  /** It has been left for good. */
  private isOver = false;
  private error = 0;
  private copy: TemporaryFile | undefined = undefined;

  /** `keyText`: what tells the answer apart. `bufferSize`: bytes that an answer's head has with all that stands in front of it. */
  constructor(request: Request, rules: CacheRules, cache: FileCache, keyText: string, bufferSize: number) {
    this.request = request;
    this.rules = rules;
    this.cache = cache;
    this.bufferSize = bufferSize;
    this.keyBytes = fromLatin1(keyText);
    this.crc = crc32(this.keyBytes);
    this.mainKey = md5(this.keyBytes);
    this.key = this.mainKey;
    this.headerStart = CACHE_HEADER_BYTES + KEY_MARK.length + keyText.length + 1;
    this.bodyStart = bufferSize;
    this.lockTimeoutMs = rules.lockTimeoutMs;
    this.convertsHead = rules.convertHead && request.method === HEAD;
  }

  /** The buffer has room for an answer's head behind the key. */
  get fits(): boolean {
    return this.headerStart + HEAD_ROOM_BYTES <= this.bufferSize;
  }

  get path(): string {
    return this.cache.pathOf(this.key);
  }

  private log(level: Level, message: string, errno?: number): void {
    this.request.connection.logErrorOf(this.request, level, message, errno);
  }

  private get nowMs(): number {
    return this.request.connection.worker.ports.reactor.clock.now();
  }

  get nowS(): number {
    return this.request.connection.worker.dates.now();
  }

  // ---- the file that is there

  /** Looks for the file. nginx: ngx_http_file_cache_open. */
  open(): number {
    const { rules, use, cache } = this;
    this.closeFile();
    const result = cache.enter(use, this.key, rules.minUses);
    if (result === KEY_NO_ROOM) return FILE_FAILED;
    if (use.bodyStart > 0) this.bodyStart = use.bodyStart;
    this.inode = use.inode;
    if (result === KEY_SCARCE) return FILE_SCARCE;
    let absent = FILE_ABSENT;
    let looks = use.exists;
    if (result === KEY_KNOWN) {
      this.error = use.error;
      if (use.error !== 0) return use.error;
    } else if (result === KEY_NEW) {
      looks = cache.keys.isCold;
      if (rules.minUses > 1) {
        if (!looks) return FILE_SCARCE;
        absent = FILE_SCARCE;
      }
    }
    if (looks) {
      const found = this.openFile();
      if (found !== NOT_THERE) return found;
    }
    return absent === FILE_ABSENT ? this.lockAbsent() : absent;
  }

  private openFile(): number {
    const { files } = this.request.connection.worker.ports;
    const { path } = this;
    const fd = files.open(path);
    if (fd === -ENOENT || fd === -ENOTDIR) return NOT_THERE;
    if (fd < 0) {
      this.log("crit", `open() "${path}" failed`, -fd);
      return FILE_FAILED;
    }
    this.fd = fd;
    const info = emptyFileInfo();
    const known = files.statFd(fd, info);
    if (known < 0) {
      this.log("crit", `fstat() "${path}" failed`, -known);
      return FILE_FAILED;
    }
    this.inode = info.inode;
    this.length = info.sizeBytes;
    return this.readFile(path, this.cache.blocksOf(info.allocatedBytes));
  }

  private readFile(path: string, blocks: number): number {
    const { worker } = this.request.connection;
    const wanted = this.length <= this.bodyStart + SMALL_BODY_BYTES ? this.length : this.bodyStart;
    const { memory } = worker.scratchFor(wanted);
    const read = worker.ports.files.read(this.fd, memory, 0, wanted, 0);
    if (read < 0) {
      this.log("crit", `read() "${path}" failed`, -read);
      return FILE_FAILED;
    }
    const bytes = new Uint8Array(memory.bytes.subarray(0, read));
    if (read < this.headerStart) return this.refuse(path, "is too small");
    const decoded = decodeCacheHeader(bytes);
    if (!decoded.ok) return this.refuse(path, decoded.reason);
    const header = decoded.value;
    const keyAt = CACHE_HEADER_BYTES + KEY_MARK.length;
    const isOurs =
      header.crc32 === this.crc &&
      header.headerStart === this.headerStart &&
      equalBytes(bytes.subarray(keyAt, keyAt + this.keyBytes.length), this.keyBytes);
    if (!isOurs) return this.refuse(path, "has md5 collision");
    if (header.bodyStart > this.bodyStart) return this.refuse(path, "has too long header");
    if (header.vary !== "") {
      const variant = variantOf(this.mainKey, header.vary, this.request.head);
      this.variant = variant;
      if (!equalBytes(variant, header.variant)) return this.openVariant(path);
    }
    this.bytes = bytes;
    this.takeHeader(header);
    if (this.cache.keys.isCold) {
      this.cache.keys.found(this.use, { bodyStart: header.bodyStart, inode: this.inode, blocks });
    }
    return this.judgeAge();
  }

  /** A file of another version is no fault. */
  private refuse(path: string, reason: string): number {
    this.log(reason === "version mismatch" ? "info" : "crit", `cache file "${path}" ${reason}`);
    return FILE_ABSENT;
  }

  private takeHeader(header: CacheFileHeader): void {
    const { freshness } = this;
    freshness.validS = header.validS;
    freshness.updatingS = header.updatingS;
    freshness.errorS = header.errorS;
    this.lastModifiedS = header.lastModifiedS;
    this.dateS = header.dateS;
    this.bodyStart = header.bodyStart;
    this.etag = header.etag;
  }

  private judgeAge(): number {
    const { validS, updatingS, errorS } = this.freshness;
    const now = this.nowS;
    if (validS >= now) return FILE_FRESH;
    this.allowsUpdating = validS + updatingS >= now;
    this.allowsError = validS + errorS >= now;
    const promised = this.cache.keys.promiseRenewal(this.use);
    if (promised === undefined) return FILE_UPDATING;
    this.lockMs = promised;
    return FILE_STALE;
  }

  /** The file is that of another variant: ours has a key of its own. nginx: ngx_http_file_cache_reopen. */
  private openVariant(path: string): number {
    if (this.secondary) return this.refuse(path, "has incorrect vary hash");
    this.cache.keys.letGo(this.use, false);
    this.secondary = true;
    this.key = this.variant;
    this.bodyStart = this.bufferSize;
    return this.open();
  }

  /** nginx: ngx_http_file_cache_lock. */
  private lockAbsent(): number {
    if (!this.rules.lock) return FILE_ABSENT;
    const { nowMs } = this;
    const promised = this.cache.keys.lockUpdate(this.use, nowMs, this.rules.lockAgeMs);
    if (promised !== undefined) {
      this.lockMs = promised;
      return FILE_ABSENT;
    }
    if (this.lockTimeoutMs === 0) return FILE_SCARCE;
    if (this.waitUntilMs === 0) this.waitUntilMs = nowMs + this.lockTimeoutMs;
    return FILE_BUSY;
  }

  /** How long to wait before the next look, ms; 0: no longer. */
  waitMs(): number {
    const { nowMs } = this;
    if (this.waitUntilMs <= nowMs) {
      this.log("info", "cache lock timeout");
      this.lockTimeoutMs = 0;
      return 0;
    }
    return Math.max(0, this.cache.keys.waitMs(this.use, nowMs));
  }

  /** Forgets what the file said of its age: the new answer says it anew. */
  expire(): void {
    const { freshness } = this;
    freshness.validS = 0;
    freshness.updatingS = 0;
    freshness.errorS = 0;
    this.status = EXPIRED;
  }

  closeFile(): void {
    if (this.fd < 0) return;
    this.request.connection.worker.ports.files.close(this.fd);
    this.fd = -1;
  }

  /** What was found unchanged gets new times. nginx: ngx_http_file_cache_update_header. */
  refreshFile(): void {
    const { files } = this.request.connection.worker.ports;
    const { path } = this;
    this.dateS = this.nowS;
    const fd = files.openExisting(path);
    if (fd < 0) {
      if (fd !== -ENOENT) this.log("crit", `open() "${path}" failed`, -fd);
      return;
    }
    this.writeHeader(fd, path);
    files.close(fd);
  }

  private writeHeader(fd: number, path: string): void {
    const { worker } = this.request.connection;
    const { files } = worker.ports;
    const info = emptyFileInfo();
    const known = files.statFd(fd, info);
    if (known < 0) {
      this.log("crit", `fstat() "${path}" failed`, -known);
      return;
    }
    // Another file may have taken its place.
    if (info.inode !== this.inode || info.sizeBytes !== this.length) return;
    const { memory } = worker.scratch;
    const read = files.read(fd, memory, 0, CACHE_HEADER_BYTES, 0);
    if (read < 0) {
      this.log("crit", `read() "${path}" failed`, -read);
      return;
    }
    const decoded = decodeCacheHeader(new Uint8Array(memory.bytes.subarray(0, read)));
    if (!decoded.ok) {
      this.log("crit", `cache file "${path}" ${decoded.reason}`);
      return;
    }
    const { lastModifiedS, crc32: crc, headerStart, bodyStart } = decoded.value;
    if (lastModifiedS !== this.lastModifiedS || crc !== this.crc) return;
    if (headerStart !== this.headerStart || bodyStart !== this.bodyStart) return;
    memory.bytes.set(encodeCacheHeader(this.header()), 0);
    const written = files.writeAt(fd, memory, 0, CACHE_HEADER_BYTES, 0);
    if (written < 0) this.log("crit", `pwrite() "${path}" failed`, -written);
  }

  private header(): CacheFileHeader {
    const { validS, updatingS, errorS, vary } = this.freshness;
    if (vary !== "") this.variant = variantOf(this.mainKey, vary, this.request.head);
    return {
      validS,
      updatingS,
      errorS,
      lastModifiedS: this.lastModifiedS,
      dateS: this.dateS,
      crc32: this.crc,
      headerStart: this.headerStart,
      bodyStart: this.bodyStart,
      etag: this.etag,
      vary,
      variant: this.variant,
    };
  }

  // ---- the file that is made

  /** Enters the key, for an answer that was fetched past the cache. False when there is no room. nginx: ngx_http_file_cache_create. */
  create(): boolean {
    return this.cache.enter(this.use, this.key, this.rules.minUses) !== KEY_NO_ROOM;
  }

  /** Begins the file. False when the answer is not kept after all. */
  beginFile({ head, lastModifiedS, etag, folder }: NewFile): boolean {
    this.dateS = this.nowS;
    this.bodyStart = this.headerStart + head.length;
    if (this.bodyStart > MAX_OFFSET) return false;
    this.lastModifiedS = lastModifiedS;
    this.etag = etag;
    const header = encodeCacheHeader(this.header());
    if (!this.chooseKey()) return false;
    const { worker } = this.request.connection;
    const made = this.cache.line.useTempPath
      ? TemporaryFile.create(worker, folder, true)
      : TemporaryFile.createBeside(worker, this.path, this.cache.foldersOf(this.key));
    if (!(made instanceof TemporaryFile)) {
      this.log("crit", `${made.call} "${made.path}" failed`, made.errno);
      return false;
    }
    this.copy = made;
    for (const part of [header, fromLatin1(KEY_MARK), this.keyBytes, NEWLINE, head])
      this.append(undefined, part, 0, part.length);
    return true;
  }

  /** A variant that is not the one that was looked for belongs under the answer's own key. nginx: ngx_http_file_cache_update_variant. */
  private chooseKey(): boolean {
    if (!this.secondary || (this.freshness.vary !== "" && equalBytes(this.variant, this.key))) return true;
    this.cache.keys.letGo(this.use, true);
    this.lockMs = undefined;
    this.key = this.mainKey;
    return this.create();
  }

  /** A file that can't be written, because the disk is full for instance, is given up; the client has its answer all the same. */
  append(memory: Memory | undefined, bytes: Bytes, start: number, end: number): boolean {
    const { copy } = this;
    if (copy === undefined) return true;
    const errno = memory === undefined ? copy.appendCopy(bytes, start, end) : copy.append(memory, start, end);
    if (errno === 0) return true;
    this.log("crit", `pwrite() "${copy.path}" failed`, errno);
    this.drop();
    return true;
  }

  /** The file is whole: it gets its place. nginx: ngx_http_file_cache_update. */
  store(): void {
    const { copy, request, cache } = this;
    if (copy === undefined || this.isOver) {
      this.leave();
      return;
    }
    this.copy = undefined;
    this.isOver = true;
    this.lockMs = undefined;
    copy.forget();
    const isMoved = moveFile(request.connection, copy.path, this.path, {
      fd: copy.fd,
      mode: 0,
      modifiedS: -1,
      folderMode: OWNER_FOLDERS,
      deletes: true,
    });
    const info = emptyFileInfo();
    const known = isMoved ? request.connection.worker.ports.files.statFd(copy.fd, info) : -1;
    copy.close();
    const facts = { bodyStart: this.bodyStart, inode: info.inode, blocks: cache.blocksOf(info.allocatedBytes) };
    cache.keys.stored(this.use, known === 0 ? facts : undefined);
  }

  /** The file that was begun is not wanted. */
  drop(): void {
    const { copy } = this;
    this.copy = undefined;
    copy?.unlink();
    copy?.close();
  }

  /** This status is remembered, as long as answers with it are fresh. */
  rememberError(status: number): void {
    const { freshness } = this;
    if (!freshness.cacheable) return;
    if (freshness.validS === 0) {
      const validS = this.rules.validS(status);
      if (validS !== 0) freshness.validS = this.nowS + validS;
    }
    if (freshness.validS !== 0) this.error = status;
  }

  /** A server that failed is remembered, too, as long as its status says. */
  rememberFailure(status: number): void {
    const { freshness } = this;
    const validS = freshness.cacheable ? this.rules.validS(status) : 0;
    if (validS === 0) return;
    freshness.validS = this.nowS + validS;
    this.error = status;
  }

  /** There will be no file. nginx: ngx_http_file_cache_free. */
  leave(): void {
    if (this.isOver || this.use.cell === 0) {
      this.drop();
      return;
    }
    this.isOver = true;
    const { error, lockMs } = this;
    const forgets = this.rules.minUses === 1;
    this.cache.keys.leave(this.use, { lockMs, error, validS: this.freshness.validS, forgets });
    this.lockMs = undefined;
    this.drop();
  }

  /** The request is over. */
  release(): void {
    this.leave();
    this.closeFile();
  }
}
