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
  readonly #facility: number | undefined;
  #syslog: SyslogSender | undefined;

  constructor({ console: toConsole, detail, facility }: KeepalivedLogSettings) {
    this.#console = toConsole;
    this.#maxSeverity = LEVELS.indexOf(detail ? "info" : "notice");
    this.#facility = facility;
    this.#openSyslog("Keepalived");
  }

  #openSyslog(name: string): void {
    if (this.#facility === undefined || !existsSync(SYSLOG_SOCKET)) return;
    this.#syslog = new SyslogSender({
      server: { path: SYSLOG_SOCKET },
      facility: this.#facility,
      tag: `${name}[${process.pid}]`,
      hostname: false,
    });
  }

  /** Another name in the system log. */
  rename(name: string): void {
    this.write("notice", `Changing syslog ident to ${name}`);
    this.#syslog?.close();
    this.#syslog = undefined;
    this.#openSyslog(name);
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
