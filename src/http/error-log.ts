/** Where `error_log` sends lines: the values of the directive, in http as in the main context. */
import type { Level } from "../base/log.ts";

/** One `error_log`: a file (absolute path), `stderr`, or a syslog server (`syslog:server=…` as written). */
export interface ErrorLogTarget {
  readonly target: string;
  /** The least severe level that is written. */
  readonly level: Level;
}
