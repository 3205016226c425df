/**
 * What is wrong with a configuration, and where. Every finding is collected, in the order in which nginx (or keepalived)
 * would meet it, so that the first one printed is the one that the original program stops at.
 */
import type { Level } from "../base/log.ts";

/** A place in a configuration file. Lines and columns count from 1; line 0 means the source has no lines (`-g`). */
export interface Position {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** The name of the source that `-g` gives. */
export const COMMAND_LINE = "command line";

/** One finding. `emerg`, `alert`, `crit` and `error` make the configuration unusable; `warn` and below do not. */
export interface Diagnostic {
  readonly severity: Level;
  /** In the original program's words, without position. */
  readonly message: string;
  readonly position?: Position;
}

/** `/etc/nginx/nginx.conf:12`, or only the source when it has no lines. */
export function printPosition(position: Position): string {
  return position.line === 0 ? position.file : `${position.file}:${position.line}`;
}

/** One line as nginx prints it after its name: `[emerg] unknown directive "x" in /etc/nginx/nginx.conf:12`. */
export function printDiagnostic({ severity, message, position }: Diagnostic): string {
  return `[${severity}] ${message}${position === undefined ? "" : ` in ${printPosition(position)}`}`;
}

/** True for a finding with which the configuration cannot be used. */
export function isFatal(diagnostic: Diagnostic): boolean {
  return FATAL.has(diagnostic.severity);
}
const FATAL: ReadonlySet<Level> = new Set(["emerg", "alert", "crit", "error"]);

/** Findings kept at most: a file of garbage must not fill the memory. The first ones are the useful ones. */
export const MAX_DIAGNOSTICS = 1000;

/** Collects findings in the order of reporting, at most `MAX_DIAGNOSTICS`. */
export class Diagnostics {
  readonly #list: Diagnostic[] = [];
  #fatal = 0;

  get list(): readonly Diagnostic[] {
    return this.#list;
  }

  /** Number of fatal findings, those behind the bound included. */
  get fatalCount(): number {
    return this.#fatal;
  }

  add(diagnostic: Diagnostic): void {
    if (isFatal(diagnostic)) this.#fatal++;
    if (this.#list.length < MAX_DIAGNOSTICS) this.#list.push(diagnostic);
  }

  report(severity: Level, message: string, position?: Position): void {
    this.add(position === undefined ? { severity, message } : { severity, message, position });
  }
}
