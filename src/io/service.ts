/** A service (http; later stream, mail) as the worker that it runs in sees it. Implementations: `http/`; driven by `process/`. */
import type { Debtor } from "../base/zone-ledger.ts";

/** Counters of one worker, over all its services: sums since the start, and what is going on now. nginx: stub_status. */
export interface ServiceCounters {
  readonly accepted: number;
  readonly handled: number;
  readonly requests: number;
  readonly active: number;
  readonly reading: number;
  readonly writing: number;
  readonly waiting: number;
}

/** What a peer of an upstream is, in the words of nginx Plus' API. */
export type PeerStateName = "up" | "draining" | "down" | "unavail" | "checking" | "unhealthy";

/** What active health checks say of a peer. */
export interface CheckState {
  readonly checks: number;
  readonly failures: number;
  /** How often it has become unhealthy. */
  readonly unhealthyTimes: number;
  /** Of the last check, ms since the epoch; undefined before the first. */
  readonly atMs: number | undefined;
  /** What the last check failed at; "" when it has passed. */
  readonly why: string;
}

export interface PeerState {
  readonly name: string;
  /** As it was written. */
  readonly server: string;
  readonly isBackup: boolean;
  readonly state: PeerStateName;
  readonly connections: number;
  /** Failures of requests that count at present. */
  readonly fails: number;
  /** Undefined when nobody checks it actively. */
  readonly check: CheckState | undefined;
}

/** An upstream as the worker sees it that watches over upstreams. */
export interface UpstreamState {
  readonly name: string;
  /** It has active health checks. */
  readonly isChecked: boolean;
  readonly peers: readonly PeerState[];
}

/** A service inside a worker. */
export interface Service {
  /** It connects from addresses that are not of this machine, for which its process keeps CAP_NET_RAW. */
  readonly bindsForeign?: boolean;
  /** Accepts on these sockets: `fds[i]` listens for the i-th address of the service's plan. */
  start(fds: readonly number[]): void;
  /**
   * This worker does what one of all workers has to do: active health checks, names of upstreams. `onChange` is called whenever
   * the state of an upstream has changed, never inside this call. Called once, behind `start`.
   */
  supervise?(onChange: () => void): void;
  /** How the upstreams are, when this worker supervises them. */
  upstreams?(): readonly UpstreamState[] | undefined;
  /**
   * Stops accepting and lets what is going on come to its end; calls `onIdle` once, when the last connection has gone. HTTP:
   * every answer says `Connection: close`, and an idle keep-alive connection may still bring one request, for
   * `keepalive_min_timeout` (1 s when unset; nginx closes it at once and so loses a request that is on its way).
   */
  quiesce(onIdle: () => void): void;
  /**
   * Another node has these addresses: clients that are connected to them are to come anew when they can, so their connections end as
   * with `quiesce`. All others stay, and whatever comes is accepted. Empty: all addresses are this node's own again.
   */
  drain?(addresses: readonly string[]): void;
  /** Ends every connection now (worker_shutdown_timeout, TERM). */
  terminate(): void;
  /** Opens its own log files again by name, for rotation. */
  reopenLogs(): void;
  /** Another worker was killed: what it had counted in shared memory and can't take back is taken back for it. */
  settle?(debtor: Debtor): void;
}
