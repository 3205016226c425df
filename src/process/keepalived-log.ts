/** Where keepalived's lines go: the console (`-l`) with its time stamps, and syslog. */
import { existsSync, writeSync } from "node:fs";
import { LEVELS, type Level, type Log } from "../base/log.ts";
import { SyslogSender } from "../os/syslog.ts";
import { escapeControls } from "./error-log.ts";
import { printCtime } from "./keepalived-dumps.ts";

const SYSLOG_SOCKET = "/dev/log";
const STDERR_FD = 2;

export interface KeepalivedLogSettings {
  readonly console: boolean;
  /** `-D`: info lines too. */
  readonly detail: boolean;
  /** undefined: no syslog. */
  readonly facility: number | undefined;
}

export class KeepalivedLog implements Log {
  readonly #console: boolean;
  readonly #maxSeverity: number;
  readonly #syslog: SyslogSender | undefined;

  constructor({ console: toConsole, detail, facility }: KeepalivedLogSettings) {
    this.#console = toConsole;
    this.#maxSeverity = LEVELS.indexOf(detail ? "info" : "notice");
    if (facility !== undefined && existsSync(SYSLOG_SOCKET))
      this.#syslog = new SyslogSender({
        server: { path: SYSLOG_SOCKET },
        facility,
        tag: `Keepalived[${process.pid}]`,
        hostname: false,
      });
  }

  enabled(level: Level): boolean {
    return LEVELS.indexOf(level) <= this.#maxSeverity;
  }

  write(level: Level, message: string): void {
    const severity = LEVELS.indexOf(level);
    if (severity > this.#maxSeverity) return;
    const nowMs = Date.now();
    const text = escapeControls(message);
    this.#syslog?.send(severity, text, nowMs);
    if (!this.#console) return;
    try {
      writeSync(STDERR_FD, `${printCtime(nowMs)}: ${text}\n`);
    } catch {
      // There is nobody to tell.
    }
  }
}
