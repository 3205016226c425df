/**
 * What the process does that keeps the caches in order: deletes what nobody has asked for, and what is too much; and looks
 * through the folders once when the server has started. A service without clients. Counterpart in nginx: the cache manager
 * and the cache loader process, ngx_http_file_cache_manager.
 */
import type { Debtor } from "../base/zone-ledger.ts";
import type { Service } from "../io/service.ts";
import { Timer, Timers } from "../net/timers.ts";
import type { CacheLine, WorkPace } from "./cache-directives.ts";
import { CacheLoader } from "./cache-loader.ts";
import { type FileCache, FileCaches } from "./file-cache.ts";
import type { HttpPorts } from "./service.ts";

/** The loader begins when the workers have had time for their clients. */
const LOADER_DELAY_MS = 60_000;
const LONGEST_REST_MS = 3_600_000;

export class CacheKeeper implements Service {
  private readonly ports: HttpPorts;
  private readonly caches = new FileCaches();
  private readonly timers: Timers;
  private readonly managing = new Timer(() => this.manage());
  private readonly loading = new Timer(() => this.load());
  /** Caches whose folders are to be looked through. */
  private unloaded: FileCache[] = [];
  private loader: CacheLoader | undefined = undefined;

  constructor(lines: readonly CacheLine[], ports: HttpPorts) {
    this.ports = ports;
    const { reactor } = ports;
    this.timers = new Timers(reactor.clock, (ring) => reactor.alarm(ring));
    this.caches.open(lines, ports);
  }

  start(): void {
    this.unloaded = this.caches.all.filter(({ keys }) => keys.isCold);
    this.timers.arm(this.managing, 1);
    if (this.unloaded.length > 0) this.timers.arm(this.loading, LOADER_DELAY_MS);
  }

  // ---- the manager

  private manage(): void {
    let rest = LONGEST_REST_MS;
    for (const cache of this.caches.all) rest = Math.min(rest, this.keep(cache));
    this.timers.arm(this.managing, Math.max(1, rest));
  }

  /** Deletes what has to go; ms until there may be more. */
  private keep(cache: FileCache): number {
    const { manager } = cache.line;
    const turn = new Turn(manager, () => this.ports.reactor.clock.now());
    let waitS = cache.expire();
    while (waitS === 0) {
      if (turn.isOver()) return manager.sleepMs;
      waitS = cache.expire();
    }
    while (this.isTooMuch(cache)) {
      const restS = cache.makeRoom();
      if (restS > 0) return restS * 1000;
      if (turn.isOver()) return manager.sleepMs;
    }
    return waitS * 1000;
  }

  private isTooMuch({ line, keys, blockBytes }: FileCache): boolean {
    if (keys.blocks >= Math.floor(line.maxSizeBytes / blockBytes) || keys.isFull) return true;
    if (line.minFreeBytes === 0) return false;
    const info = this.ports.files.fileSystem(line.path);
    return typeof info !== "number" && info.availableBytes <= line.minFreeBytes;
  }

  // ---- the loader

  private load(): void {
    const [cache] = this.unloaded;
    if (cache === undefined) return;
    const { files, log, reactor, isAlive } = this.ports;
    if (this.loader === undefined) {
      if (!cache.keys.beginLoading(isAlive)) {
        this.unloaded.shift();
        this.timers.arm(this.loading, 1);
        return;
      }
      this.loader = new CacheLoader(cache, files, log);
    }
    if (!this.loader.step(() => reactor.clock.now())) {
      this.timers.arm(this.loading, Math.max(1, cache.line.loader.sleepMs));
      return;
    }
    cache.keys.endLoading(true);
    this.loader.report();
    this.loader = undefined;
    this.unloaded.shift();
    this.timers.arm(this.loading, 1);
  }

  private stop(): void {
    this.managing.stopTimer();
    this.loading.stopTimer();
    if (this.loader !== undefined) this.unloaded[0]?.keys.endLoading(false);
    this.loader = undefined;
  }

  // ---- as a service

  quiesce(onIdle: () => void): void {
    this.stop();
    onIdle();
  }

  terminate(): void {
    this.stop();
  }

  reopenLogs(): void {}

  settle(debtor: Debtor): void {
    this.caches.settle(debtor);
  }
}

/** How much is done at once. */
class Turn {
  private readonly pace: WorkPace;
  private readonly now: () => number;
  private readonly began: number;
  private files = 0;

  constructor(pace: WorkPace, now: () => number) {
    this.pace = pace;
    this.now = now;
    this.began = now();
  }

  /** One more file has been dealt with: true when that was enough. */
  isOver(): boolean {
    return ++this.files >= this.pace.files || this.now() - this.began >= this.pace.thresholdMs;
  }
}
