/**
 * The event loop of a worker: accepts, connects, moves bytes, keeps time. Implementations: os/reactor/.
 * Counterpart in nginx: ngx_event_actions_t and the posted-events queue.
 */
import type { Clock } from "../base/clock.ts";
import type { Endpoint, Stream, StreamOwner } from "./stream.ts";

export interface AcceptOptions {
  /** Takes connections until the backlog is empty instead of a few a turn (nginx: multi_accept). */
  readonly multiAccept: boolean;
  /** Called for each connection; it sets `stream.owner` before it returns. */
  readonly onAccept: (stream: Stream) => void;
  /** accept(2) failed for a reason other than "try again" (EMFILE, ENFILE, …). Accepting pauses for 500 ms. */
  readonly onError: (errno: number) => void;
}

/** What a socket that connects is given before it does. A number is bytes, 0 the system's choice. */
export interface ConnectSettings {
  readonly receiveBuffer: number;
  readonly sendBuffer: number;
  /** TCP probes while nothing is sent. */
  readonly keepAlive: boolean;
  /** The address that it is bound to need not be one of this machine (nginx: `proxy_bind … transparent`). */
  readonly transparent: boolean;
  /** Mark of its packets, SO_MARK; 0 none. */
  readonly mark?: number;
  /** The link that its packets take, SO_BINDTODEVICE. */
  readonly device?: string;
}

export interface Acceptor {
  /** Stops accepting; what waits already is still told, inside this call. The listening socket itself stays open. */
  close(): void;
}

/** One shot. Arming an armed alarm moves it. */
export interface Alarm {
  arm(atMs: number): void;
  disarm(): void;
}

export interface Reactor {
  /** Read once per turn: every caller within a turn sees the same instant. */
  readonly clock: Clock;
  /** Accepts on an inherited listening socket. */
  accept(listeningFd: number, options: AcceptOptions): Acceptor;
  /** Begins to connect; success is the owner's first `onWritable`, failure its `onError`. Throws nothing. */
  connect(remote: Endpoint, local: Endpoint | undefined, owner: StreamOwner, settings?: ConnectSettings): Stream;
  /** Runs a task behind the events of this turn, before the loop sleeps (nginx: posted events). */
  defer(task: () => void): void;
  /** The only clock interrupt there is; `net/timers.ts` builds everything else on one of these. */
  alarm(ring: () => void): Alarm;
}
