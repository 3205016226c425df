/** Files of access logs: shared by all places of a worker, buffered if asked for, opened again by name for rotation. */
import { type Bytes, writeLatin1 } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import type { Level, Log } from "../base/log.ts";
import type { Compression } from "../io/compression.ts";
import type { Files } from "../io/files.ts";
import type { Memory, MemorySource } from "../io/memory.ts";
import type { LinkCheck } from "./link-checks.ts";
import { LogCompressor } from "./log-compressor.ts";
import { type Complain, incomplete, LogFailure } from "./log-failure.ts";
import { LogFileCache, type LogFileCacheSettings, openLog } from "./log-file-cache.ts";
import { type Append, LogLine } from "./log-line.ts";
import { Timer, type Timers } from "./timers.ts";

/** `buffer=` and `flush=` of an `access_log`. */
export interface BufferSettings {
  readonly sizeBytes: number;
  /** 0: only when full. */
  readonly flushMs: number;
  /** 1 … 9, undefined for plain text. */
  readonly gzipLevel: number | undefined;
}

/** Bytes of a line that are written in one go when there is no buffer. */
const LINE_BYTES = 64 * 1024;
const LINE_FEED = 0x0a;

/** One open log file. */
export class AccessLogFile<S> {
  readonly path: string;
  private readonly logs: AccessLogs<S>;
  private readonly buffer: Memory | undefined;
  private readonly settings: BufferSettings | undefined;
  private readonly timer: Timer | undefined;
  private readonly compressor: LogCompressor | undefined;
  private fd: number;
  private used = 0;
  private readonly failure = new LogFailure();

  constructor(logs: AccessLogs<S>, path: string, fd: number, settings: BufferSettings | undefined) {
    this.logs = logs;
    this.path = path;
    this.fd = fd;
    this.settings = settings;
    this.buffer = settings === undefined ? undefined : logs.memory.allocate(settings.sizeBytes);
    this.timer = settings === undefined || settings.flushMs === 0 ? undefined : new Timer(() => this.flush());
    this.compressor =
      settings?.gzipLevel === undefined
        ? undefined
        : new LogCompressor(
            logs.compression,
            logs.memory,
            settings.gzipLevel,
            Math.max(settings.sizeBytes, LINE_BYTES),
          );
  }

  /** The lines of this second are lost. */
  get isFull(): boolean {
    return this.failure.isFull(this.logs.nowS);
  }

  /** Appends the line of a subject, which has its line feed. */
  write(subject: S, line: string): void {
    const { buffer, settings } = this;
    if (buffer === undefined || settings === undefined || line.length > settings.sizeBytes) {
      this.flush(subject);
      this.writeNow(subject, line);
      return;
    }
    if (this.used + line.length > settings.sizeBytes) this.flush(subject);
    if (this.used === 0 && this.timer !== undefined) this.logs.timers.arm(this.timer, settings.flushMs);
    this.used = writeLatin1(buffer.bytes, line, this.used);
  }

  /** Appends the line that `parts` make of a subject, composed in place; false when it is too long for that. */
  append(subject: S, parts: readonly Append<S>[]): boolean {
    const { buffer, settings, logs } = this;
    if (buffer === undefined || settings === undefined) {
      if (!logs.compose(logs.line.bytes, 0, LINE_BYTES, subject, parts)) return false;
      this.put(logs.line, logs.composed.used, subject);
      return true;
    }
    if (!logs.compose(buffer.bytes, this.used, settings.sizeBytes, subject, parts)) {
      this.flush(subject);
      if (!logs.compose(buffer.bytes, 0, settings.sizeBytes, subject, parts)) return false;
    }
    if (this.used === 0 && this.timer !== undefined) logs.timers.arm(this.timer, settings.flushMs);
    this.used = logs.composed.used;
    return true;
  }

  private writeNow(subject: S, line: string): void {
    const { line: memory } = this.logs;
    for (let from = 0; from < line.length; from += LINE_BYTES) {
      const piece = line.length <= LINE_BYTES ? line : line.slice(from, from + LINE_BYTES);
      const end = writeLatin1(memory.bytes, piece, 0);
      this.put(memory, end, subject);
    }
  }

  /** `subject` is the one that needs the room, if it is one. */
  flush(subject?: S): void {
    const size = this.used;
    if (size === 0 || this.buffer === undefined) return;
    this.used = 0;
    this.put(this.buffer, size, subject);
  }

  private put(memory: Memory, size: number, subject: S | undefined): void {
    const { compressor } = this;
    if (compressor === undefined) {
      this.putNow(memory, size, subject);
      return;
    }
    const length = compressor.run(memory.bytes, size);
    if (length >= 0) this.putNow(compressor.memory, length, subject);
    else this.logs.log.write("alert", `deflate(Z_FINISH) failed: ${length}`);
  }

  private putNow(memory: Memory, size: number, subject: S | undefined): void {
    const { logs, path } = this;
    const written = logs.files.write(this.fd, memory, 0, size);
    if (written === size) return;
    if (subject !== undefined) this.failure.note(logs.complainFor(subject), path, written, size, logs.nowS());
    else if (written < 0) logs.log.write("alert", `write() to "${path}" failed`, { errno: -written });
    else logs.log.write("alert", incomplete(path, written, size));
  }

  reopen(): void {
    this.flush();
    const fd = this.logs.files.openAppend(this.path);
    if (fd < 0) {
      this.logs.log.write("emerg", `open() "${this.path}" failed`, { errno: -fd });
      return;
    }
    this.logs.files.close(this.fd);
    this.fd = fd;
  }
}

/** How a log whose name is made for each subject is written. */
export interface NamedLog {
  readonly cache: LogFileCache | undefined;
  readonly links: LinkCheck | undefined;
  readonly failure: LogFailure;
}

/** What access logs need; part of a worker. */
export interface AccessLogPorts<S> {
  readonly files: Files;
  readonly memory: MemorySource;
  readonly timers: Timers;
  readonly log: Log;
  readonly clock: Clock;
  readonly compression: Compression;
  nowS(): number;
  /** Tells the error log on behalf of somebody who is being logged. */
  complain(subject: S, level: Level, message: string, errno?: number): void;
}

export class AccessLogs<S> {
  readonly files: Files;
  readonly memory: MemorySource;
  readonly timers: Timers;
  readonly log: Log;
  readonly line: Memory;
  readonly nowS: () => number;
  readonly composed = new LogLine();
  readonly compression: Compression;
  private readonly complain: AccessLogPorts<S>["complain"];
  private readonly open = new Map<string, AccessLogFile<S>>();
  private readonly clock: Clock;
  private readonly caches = new Map<LogFileCacheSettings, LogFileCache>();

  constructor(ports: AccessLogPorts<S>) {
    this.complain = (subject, level, message, errno) => ports.complain(subject, level, message, errno);
    this.files = ports.files;
    this.memory = ports.memory;
    this.timers = ports.timers;
    this.log = ports.log;
    this.clock = ports.clock;
    this.compression = ports.compression;
    this.nowS = () => ports.nowS();
    this.line = ports.memory.allocate(LINE_BYTES);
  }

  /** Makes a line in `bytes[at, limit)`; it is there up to `composed.used` when the answer is true. */
  compose(bytes: Bytes, at: number, limit: number, subject: S, parts: readonly Append<S>[]): boolean {
    const { composed } = this;
    composed.begin(bytes, at, limit);
    for (let i = 0; i < parts.length; i++) (parts[i] as Append<S>)(subject, composed);
    composed.byte(LINE_FEED);
    return composed.fits;
  }

  /** The file of a path, opened once. Throws nginx's sentence when it can't be opened. */
  get(path: string, settings: BufferSettings | undefined): AccessLogFile<S> {
    const known = this.open.get(path);
    if (known !== undefined) return known;
    const fd = this.files.openAppend(path);
    if (fd < 0) throw new Error(`open() "${path}" failed (${-fd})`);
    const file = new AccessLogFile(this, path, fd, settings);
    this.open.set(path, file);
    return file;
  }

  /** The cache of an `open_log_file_cache`. */
  cacheOf(settings: LogFileCacheSettings): LogFileCache {
    let cache = this.caches.get(settings);
    if (cache === undefined) {
      cache = new LogFileCache(this.files, this.clock, settings);
      this.caches.set(settings, cache);
    }
    return cache;
  }

  /**
   * Appends one line to a file whose name is made for each subject; opened and closed at once without a cache. `links`: which
   * symbolic links the name may have.
   */
  writeTo(subject: S, path: string, line: string, { cache, links, failure }: NamedLog): void {
    const fd = cache === undefined ? openLog(this.files, path, links) : cache.open(path, links);
    if (fd < 0) {
      const call = links === undefined ? "open()" : "openat()";
      this.complain(subject, "crit", `${call} "${path}" failed`, -fd);
      return;
    }
    const end = writeLatin1(this.line.bytes, line.slice(0, LINE_BYTES), 0);
    const written = this.files.write(fd, this.line, 0, end);
    if (cache === undefined) this.files.close(fd);
    else cache.release(path);
    if (written !== end) failure.note(this.complainFor(subject), path, written, end, this.nowS());
  }

  complainFor(subject: S): Complain {
    return (level, message, errno) => this.complain(subject, level, message, errno);
  }

  flush(): void {
    for (const file of this.open.values()) file.flush();
  }

  reopen(): void {
    for (const file of this.open.values()) file.reopen();
    for (const cache of this.caches.values()) cache.clear();
  }
}
