/** The words of logging: nginx's levels and the context that follows a message. Formatting is the edge's business. */

/** nginx's error-log levels, most severe first; the index is the severity that syslog uses. */
export const LEVELS = ["emerg", "alert", "crit", "error", "warn", "notice", "info", "debug"] as const;
export type Level = (typeof LEVELS)[number];

/** What a message was about, in nginx's phrase order: `client: …, server: …, request: "…", upstream: "…", host: "…"`. */
export interface LogContext {
  /** `$connection`: printed as `*N` before the message. */
  readonly connection?: number;
  readonly client?: string;
  readonly server?: string;
  readonly request?: string;
  readonly subrequest?: string;
  readonly upstream?: string;
  /** Bytes that have passed, as nginx's stream words it. */
  readonly transfer?: string;
  readonly host?: string;
  readonly referrer?: string;
  /** A phrase in front of the context, `while reading client request line`. */
  readonly action?: string;
  /** errno of the system call that failed, printed as `(2: No such file or directory)`. */
  readonly errno?: number;
}

export interface Log {
  /** False when a message of this level would be dropped: ask before making an expensive one. */
  enabled(level: Level): boolean;
  /** Writes one line. The message is escaped at the edge; nothing that a client controls is printed raw. */
  write(level: Level, message: string, context?: LogContext): void;
}

/** A log that drops everything: for tests and for tools that only ask questions. */
export const silentLog: Log = { enabled: () => false, write: () => {} };
