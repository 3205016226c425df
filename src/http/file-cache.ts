/**
 * A cache as a worker sees it: where its files are, how large the blocks of their file system are, and its keys. Counterpart in
 * nginx: ngx_http_file_cache_t and what ngx_http_file_cache.c does with its nodes.
 */
import type { Bytes } from "../base/bytes.ts";
import type { Log } from "../base/log.ts";
import type { Debtor } from "../base/zone-ledger.ts";
import type { Files } from "../io/files.ts";
import { CacheKeys, KEY_NO_ROOM, type KeyUse, type Oldest } from "../net/cache-keys.ts";
import type { CacheLine } from "./cache-directives.ts";
import type { HttpPorts } from "./service.ts";
import { subfolders } from "./temporary-file.ts";

/** Blocks of a file system that says nothing sensible of them. nginx: ngx_fs_bsize. */
const SMALL_BLOCK_BYTES = 512;
const PAGE_BYTES = 4096;
/** Keys in use that are passed over when room is wanted. */
const MAX_LOCKED = 20;
/** What is waited for before room is looked for again, seconds. */
const LONG_WAIT_S = 10;
const SHORT_WAIT_S = 1;

export class FileCache {
  readonly line: CacheLine;
  readonly keys: CacheKeys;
  readonly blockBytes: number;
  private readonly files: Files;
  private readonly log: Log;
  /** Seconds since 1970. */
  readonly nowS: () => number;

  constructor(line: CacheLine, ports: HttpPorts) {
    this.line = line;
    this.files = ports.files;
    this.log = ports.log;
    const { clock } = ports.reactor;
    this.nowS = () => Math.floor(clock.wall() / 1000);
    const seed = ports.random(4).reduce((sum, byte) => sum * 256 + byte, 0);
    this.keys = new CacheKeys(ports.shared.zone(line.zone), seed, ports);
    this.blockBytes = blockBytesOf(ports.files.fileSystem(line.path));
  }

  /** Blocks that so many bytes take. */
  blocksOf(allocatedBytes: number): number {
    return Math.ceil(allocatedBytes / this.blockBytes);
  }

  /** Where the file of a key is. nginx: ngx_create_hashed_filename. */
  pathOf(key: Bytes): string {
    return `${this.foldersOf(key).at(-1)}/${hexOf(key)}`;
  }

  /** The folders on the way there. */
  foldersOf(key: Bytes): readonly string[] {
    return subfolders(this.line, hexOf(key));
  }

  /** See `CacheKeys.enter`; makes room when there is none. KEY_NO_ROOM has been logged. */
  enter(use: KeyUse, key: Bytes, minUses: number): number {
    const { inactiveS } = this.line;
    const now = this.nowS();
    const result = this.keys.enter(use, key, minUses, now, inactiveS);
    if (result !== KEY_NO_ROOM) return result;
    this.makeRoom();
    const second = this.keys.enter(use, key, minUses, now, inactiveS);
    if (second === KEY_NO_ROOM) this.complainOfRoom();
    return second;
  }

  complainOfRoom(): void {
    this.log.write("alert", `could not allocate node in cache keys zone "${this.line.zone}"`);
  }

  /** Deletes the file that was not asked for the longest. Seconds to wait before the next, 0: none. nginx: ngx_http_file_cache_forced_expire. */
  makeRoom(): number {
    for (let locked = 0; locked < MAX_LOCKED; locked++) {
      const oldest = this.keys.expireOldest(this.nowS(), this.line.inactiveS, true);
      if (oldest.kind === "none") return LONG_WAIT_S;
      if (oldest.kind === "deleting") return SHORT_WAIT_S;
      if (oldest.kind !== "locked") {
        this.finishExpired(oldest);
        return 0;
      }
      this.complainOfLock(oldest);
    }
    return SHORT_WAIT_S;
  }

  /** Deletes the oldest file if its time has come. Seconds until the next one's, 0 when one has gone. nginx: a turn of ngx_http_file_cache_expire. */
  expire(): number {
    const oldest = this.keys.expireOldest(this.nowS(), this.line.inactiveS, false);
    switch (oldest.kind) {
      case "none":
        return LONG_WAIT_S;
      case "young":
        return Math.min(LONG_WAIT_S, oldest.leftS);
      case "deleting":
        return SHORT_WAIT_S;
      case "locked":
        this.complainOfLock(oldest);
        return 0;
      default:
        this.finishExpired(oldest);
        return 0;
    }
  }

  private finishExpired(oldest: Oldest): void {
    if (oldest.kind !== "file") return;
    const path = this.pathOf(oldest.key);
    const result = this.files.unlink(path);
    if (result < 0) this.log.write("crit", `unlink() "${path}" failed`, { errno: -result });
    this.keys.deleted(oldest.cell);
  }

  private complainOfLock({ key, count }: Oldest & { readonly kind: "locked" }): void {
    this.log.write("alert", `ignore long locked inactive cache entry ${hexOf(key)}, count:${count}`);
  }
}

/** The caches of a worker, by the names of their zones. */
export class FileCaches {
  private readonly caches = new Map<string, FileCache>();

  open(lines: readonly CacheLine[], ports: HttpPorts): void {
    for (const line of lines) this.caches.set(line.zone, new FileCache(line, ports));
  }

  /** Undefined when there is none of this name. */
  find(zone: string): FileCache | undefined {
    return this.caches.get(zone);
  }

  get all(): readonly FileCache[] {
    return [...this.caches.values()];
  }

  /** A process was killed: what it has used and promised is taken back. */
  settle(debtor: Debtor): void {
    for (const { keys } of this.caches.values()) keys.settle(debtor);
  }
}

function blockBytesOf(info: ReturnType<Files["fileSystem"]>): number {
  if (typeof info === "number") return SMALL_BLOCK_BYTES;
  const { blockBytes } = info;
  return blockBytes % SMALL_BLOCK_BYTES !== 0 || blockBytes > PAGE_BYTES || blockBytes === 0
    ? SMALL_BLOCK_BYTES
    : blockBytes;
}

const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

function hexOf(key: Bytes): string {
  let text = "";
  for (let i = 0; i < key.length; i++) text += HEX[key[i] as number] as string;
  return text;
}
