/** A service (http; later stream, mail) as the worker that it runs in sees it. Implementations: `http/`; driven by `process/`. */

/** Counters of one worker: sums since the start, and what is going on now. nginx: stub_status. */
export interface ServiceCounters {
  readonly accepted: number;
  readonly handled: number;
  readonly requests: number;
  readonly active: number;
  readonly reading: number;
  readonly writing: number;
  readonly waiting: number;
}

/** A service inside a worker. */
export interface Service {
  /** It connects from addresses that are not of this machine, for which its process keeps CAP_NET_RAW. */
  readonly bindsForeign?: boolean;
  /** Accepts on these sockets: `fds[i]` listens for the i-th address of the service's plan. */
  start(fds: readonly number[]): void;
  /**
   * Stops accepting and lets what is going on come to its end; calls `onIdle` once, when the last connection has gone. HTTP:
   * every answer says `Connection: close`, and an idle keep-alive connection may still bring one request, for
   * `keepalive_min_timeout` (1 s when unset; nginx closes it at once and so loses a request that is on its way).
   */
  quiesce(onIdle: () => void): void;
  /** Ends every connection now (worker_shutdown_timeout, TERM). */
  terminate(): void;
  /** Opens its own log files again by name, for rotation. */
  reopenLogs(): void;
  counters(): ServiceCounters;
}
