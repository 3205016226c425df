/** Where log lines go, and the port that opens such places. */
import type { Level, Log } from "../base/log.ts";
import type { Endpoint } from "./stream.ts";

/** A syslog server and what messages to it are labelled with (RFC 3164 as nginx writes it). */
export interface SyslogSettings {
  readonly server: Endpoint;
  /** Index in nginx's list of facilities: kern 0 … local7 23. */
  readonly facility: number;
  readonly tag: string;
  readonly hostname: boolean;
}

/** Where lines go that are at least as severe as `level`. */
export type LogTarget =
  | { readonly kind: "file"; readonly path: string; readonly level: Level }
  | { readonly kind: "stderr"; readonly level: Level }
  | { readonly kind: "syslog"; readonly settings: SyslogSettings; readonly level: Level };

/** Sends single messages; what can't be sent at once is lost. */
export interface SyslogSink {
  /** `severity`: 0 emerg … 7 debug; `message` is a byte string. */
  send(severity: number, message: string, wallMs: number): void;
}

/** Opens logs. Files are shared: however many logs write to a path, it is opened once and reopened by USR1. */
export interface Logging {
  /** An error log. Throws an Error with nginx's sentence when a file can't be opened. */
  openLog(targets: readonly LogTarget[]): Log;
  openSyslog(settings: SyslogSettings): SyslogSink;
}
