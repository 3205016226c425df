/**
 * nginx's error log: `YYYY/MM/DD HH:MM:SS [level] PID#TID: *CONNECTION text (ERRNO: reason) while doing, client: …, server: …`,
 * one write(2) a line, to files (appended, reopened by USR1), standard error and syslog. nginx: ngx_log_error_core.
 */
import { fromUtf8, writeLatin1 } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import { LEVELS, type Level, type Log, type LogContext } from "../base/log.ts";
import type { LogTarget } from "../io/logging.ts";
import { printErrno } from "../os/errno.ts";
import { SystemFiles } from "../os/files.ts";
import { allocateMemory } from "../os/memory.ts";
import { SyslogSender } from "../os/syslog.ts";

/** A longer line is cut (nginx: NGX_MAX_ERROR_STR). */
const LINE_BYTES = 2048;
const STDERR_FD = 2;

/** A log file that is open in this process. */
interface OpenFile {
  readonly path: string;
  fd: number;
}

/** The log files of one process: each path is opened once, however many logs write to it. */
export class LogFiles {
  private readonly files = new SystemFiles();
  private readonly opened = new Map<string, OpenFile>();
  private readonly line = allocateMemory(2 * LINE_BYTES);

  /** The file, opened for appending. Throws the sentence that nginx prints when it can't be. */
  open(path: string): OpenFile {
    const known = this.opened.get(path);
    if (known !== undefined) return known;
    const fd = this.files.openAppend(path);
    if (fd < 0) throw new Error(`open() "${path}" failed ${printErrno(-fd)}`);
    const file = { path, fd };
    this.opened.set(path, file);
    return file;
  }

  /** Opens every path anew, which has perhaps been renamed. `failed` is told of those that stay as they are. */
  reopen(failed: (sentence: string) => void): void {
    for (const file of this.opened.values()) {
      const fd = this.files.openAppend(file.path);
      if (fd < 0) {
        failed(`open() "${file.path}" failed ${printErrno(-fd)}`);
        continue;
      }
      this.files.close(file.fd);
      file.fd = fd;
    }
  }

  /** Closes the files whose paths are not among these: after a reload. */
  keepOnly(paths: ReadonlySet<string>): void {
    for (const file of this.opened.values()) {
      if (paths.has(file.path)) continue;
      this.files.close(file.fd);
      this.opened.delete(file.path);
    }
  }

  /** Appends a line by one write. A full disk loses it; there is nobody to tell. */
  write(fd: number, line: string): void {
    const { bytes } = this.line;
    let end = 0;
    if (isByteString(line)) end = writeLatin1(bytes, line.slice(0, LINE_BYTES - 1), 0);
    else {
      const encoded = fromUtf8(line).subarray(0, LINE_BYTES - 1);
      bytes.set(encoded);
      end = encoded.length;
    }
    bytes[end] = 0x0a;
    this.files.write(fd, this.line, 0, end + 1);
  }
}

function isByteString(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0xff) return false;
  return true;
}

/** The text with control characters as `\x1B`: nothing that a client sends can forge a line or steer a terminal. */
export function escapeControls(text: string): string {
  if (!/[\x00-\x1f\x7f]/.test(text)) return text;
  return text.replace(/[\x00-\x1f\x7f]/g, (character) => {
    const code = character.charCodeAt(0);
    return `\\x${code < 16 ? "0" : ""}${code.toString(16).toUpperCase()}`;
  });
}

/** A message with errno and context behind it, in nginx's order of phrases. */
export function printMessage(message: string, context: LogContext): string {
  const { connection, errno, action, client, server, request, subrequest, upstream, transfer, host, referrer } =
    context;
  let text = connection === undefined ? message : `*${connection} ${message}`;
  if (errno !== undefined && errno !== 0) text += ` ${printErrno(errno)}`;
  if (action !== undefined) text += ` ${action}`;
  if (client !== undefined) text += `, client: ${client}`;
  if (server !== undefined) text += `, server: ${server}`;
  if (request !== undefined) text += `, request: "${request}"`;
  if (subrequest !== undefined) text += `, subrequest: "${subrequest}"`;
  if (upstream !== undefined) text += `, upstream: "${upstream}"`;
  if (transfer !== undefined) text += `, ${transfer}`;
  if (host !== undefined) text += `, host: "${host}"`;
  if (referrer !== undefined) text += `, referrer: "${referrer}"`;
  return escapeControls(text);
}

/** A target, ready to be written to; `severity` is the index of its level. */
interface Sink {
  readonly severity: number;
  write(line: string, severity: number): void;
}

const two = (value: number): string => (value < 10 ? `0${value}` : String(value));

/** A log with its targets. */
export class ErrorLog implements Log {
  private readonly sinks: readonly Sink[];
  private readonly clock: Clock;
  private readonly maxSeverity: number;
  private readonly processLabel = `${process.pid}#${process.pid}:`;
  private stampSecond = -1;
  private stamp = "";

  /** Throws the sentence that nginx prints when a file can't be opened. */
  constructor(targets: readonly LogTarget[], files: LogFiles, clock: Clock) {
    this.clock = clock;
    this.sinks = targets.map((target) => openSink(target, files, clock));
    this.maxSeverity = this.sinks.reduce((max, { severity }) => Math.max(max, severity), -1);
  }

  enabled(level: Level): boolean {
    return LEVELS.indexOf(level) <= this.maxSeverity;
  }

  write(level: Level, message: string, context: LogContext = {}): void {
    const severity = LEVELS.indexOf(level);
    if (severity > this.maxSeverity) return;
    const line = `${this.time()} [${level}] ${this.processLabel} ${printMessage(message, context)}`;
    for (const sink of this.sinks) if (severity <= sink.severity) sink.write(line, severity);
  }

  /** `YYYY/MM/DD HH:MM:SS` in local time, made once a second. */
  private time(): string {
    const second = Math.floor(this.clock.wall() / 1000);
    if (second === this.stampSecond) return this.stamp;
    const time = new Date(second * 1000);
    const date = `${time.getFullYear()}/${two(time.getMonth() + 1)}/${two(time.getDate())}`;
    this.stamp = `${date} ${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
    this.stampSecond = second;
    return this.stamp;
  }
}

function openSink(target: LogTarget, files: LogFiles, clock: Clock): Sink {
  const severity = LEVELS.indexOf(target.level);
  switch (target.kind) {
    case "stderr":
      return { severity, write: (line) => files.write(STDERR_FD, line) };
    case "file": {
      const file = files.open(target.path);
      return { severity, write: (line) => files.write(file.fd, line) };
    }
    case "syslog": {
      const sender = new SyslogSender(target.settings);
      return { severity, write: (line, lineSeverity) => sender.send(lineSeverity, line, clock.wall()) };
    }
  }
}
