/**
 * The contract between a service (http, stream, …) and the processes that run it. The master asks a `ServiceKind` what a
 * configuration needs; each worker starts the service of the same configuration on the sockets that it has inherited.
 */
import type { Log } from "../base/log.ts";
import type { Files } from "./files.ts";
import type { Listener } from "./listen.ts";
import type { Logging } from "./logging.ts";
import type { MemorySource } from "./memory.ts";
import type { Reactor } from "./reactor.ts";

/** What a worker lends to its service. */
export interface ServicePorts {
  readonly reactor: Reactor;
  readonly files: Files;
  readonly memory: MemorySource;
  /** The error log of the main context. */
  readonly log: Log;
  readonly logging: Logging;
  /** Of the events block. */
  readonly events: { readonly workerConnections: number; readonly multiAccept: boolean };
  readonly workerPid: number;
  readonly hostname: string;
}

/** Counters of one worker, for `tandem status` and stub_status. */
export interface ServiceStatus {
  /** Open client connections. */
  readonly connections: number;
  readonly accepted: number;
  readonly handled: number;
  readonly requests: number;
  readonly reading: number;
  readonly writing: number;
  readonly waiting: number;
}

/** A running service inside a worker. */
export interface Service {
  /** Begins to accept. A listener whose spec the service doesn't know is none of its own. */
  listen(listeners: readonly Listener[]): void;
  /** Stops accepting, closes what is idle, finishes the rest; then calls `done` once, at the earliest after this call returns. */
  drain(done: () => void): void;
  /** Closes everything that is still open: the time for draining is up. */
  close(): void;
  /** Opens its log files anew and flushes its buffers. Error logs of `Logging` are not its business. */
  reopenLogs(): void;
  status(): ServiceStatus;
}
