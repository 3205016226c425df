/**
 * A connection to a peer: with an exchange that uses it, or idle in its upstream until another does. What an idle one hears is
 * always its end: a peer has nothing to say before it is asked.
 */
import type { Memory } from "../io/memory.ts";
import type { ConnectSettings } from "../io/reactor.ts";
import type { Endpoint, Stream, StreamOwner } from "../io/stream.ts";
import { Timed } from "../net/timers.ts";
import type { KeepAliveSettings, Upstream } from "./upstream-group.ts";
import type { Worker } from "./worker.ts";

/** Who uses a connection hears what it tells. */
export interface PeerUser {
  onPeerData(memory: Memory, start: number, end: number): void;
  /** As `StreamOwner.onEnd`. */
  onPeerEnd(): void;
  /** Connected, or room again. */
  onPeerWritable(): void;
  onPeerError(errno: number): void;
  /** As `StreamOwner.onNoMemory`. */
  onPeerNoMemory(message: string): void;
}

export class PeerConnection extends Timed implements StreamOwner {
  readonly endpoint: Endpoint;
  readonly stream: Stream;
  readonly startMs: number;
  requests = 0;
  /** Who uses it; undefined while it is idle. */
  exchange: PeerUser | undefined;
  /** The settings of the location that used it last. */
  lender: object | undefined = undefined;
  /** The peer has ended its side, or the connection is broken. */
  ended = false;
  /** Its neighbours among the idle ones. Named apart from the timer's. */
  newer: PeerConnection | undefined = undefined;
  older: PeerConnection | undefined = undefined;
  private readonly worker: Worker;
  private readonly upstream: Upstream;

  constructor(
    worker: Worker,
    upstream: Upstream,
    remote: {
      readonly endpoint: Endpoint;
      readonly local: Endpoint | undefined;
      readonly settings: ConnectSettings | undefined;
    },
    exchange: PeerUser,
  ) {
    super();
    this.worker = worker;
    this.upstream = upstream;
    this.endpoint = remote.endpoint;
    this.exchange = exchange;
    const { reactor, counters } = worker.ports;
    // Nobody sees it, but it is one of those that `$connection` counts.
    counters.nextConnection();
    this.startMs = reactor.clock.now();
    this.stream = reactor.connect(remote.endpoint, remote.local, this, remote.settings);
  }

  /** An exchange begins to use it. */
  lend(exchange: PeerUser): void {
    this.stopTimer();
    this.exchange = exchange;
  }

  /** Keeps it for another exchange. */
  rest(settings: KeepAliveSettings, lender: object): void {
    this.exchange = undefined;
    this.lender = lender;
    this.upstream.keepIdle(this, settings);
    this.worker.timers.arm(this, settings.timeoutMs);
  }

  onData(memory: Memory, start: number, end: number): void {
    if (this.exchange === undefined) this.drop();
    else this.exchange.onPeerData(memory, start, end);
  }

  onEnd(): void {
    this.ended = true;
    if (this.exchange === undefined) this.drop();
    else this.exchange.onPeerEnd();
  }

  onWritable(): void {
    this.exchange?.onPeerWritable();
  }

  onError(errno: number): void {
    this.ended = true;
    if (this.exchange === undefined) this.drop();
    else this.exchange.onPeerError(errno);
  }

  onNoMemory(message: string): void {
    if (this.exchange === undefined) this.drop();
    else this.exchange.onPeerNoMemory(message);
  }

  /** It was idle for too long. */
  onTimer(): void {
    this.drop();
  }

  private drop(): void {
    if (this.exchange !== undefined) return;
    this.upstream.remove(this);
    this.close();
  }

  close(): void {
    this.exchange = undefined;
    this.worker.timers.discard(this);
    this.stream.close();
  }
}
