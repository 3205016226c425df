/** What all sessions of a worker share: ports, timers, clock texts, logs, upstreams, counters. */
import { latin1 } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import { Interner } from "../base/interner.ts";
import { printIp } from "../base/ip.ts";
import type { Log } from "../base/log.ts";
import { AccessLogs } from "../net/access-logs.ts";
import type { BalancedGroup } from "../net/balanced-group.ts";
import { Connections } from "../net/connections.ts";
import { ACCEPTED, ACTIVE, HANDLED } from "../net/counters.ts";
import { Dates } from "../net/dates.ts";
import { Limits } from "../net/limits.ts";
import { MemoryGuard } from "../net/memory-guard.ts";
import { Resolvers } from "../net/resolvers.ts";
import { Timers } from "../net/timers.ts";
import type { TunnelPorts } from "../net/tunnel.ts";
import type { Upstreams } from "../net/upstreams.ts";
import type { StreamPorts } from "./service.ts";
import type { Session } from "./session.ts";

const SCRATCH_BYTES = 64 * 1024;

export class Worker implements TunnelPorts {
  readonly ports: StreamPorts;
  readonly timers: Timers;
  readonly dates: Dates;
  readonly guard: MemoryGuard;
  readonly scratch: TunnelPorts["scratch"];
  readonly accessLogs: AccessLogs<Session>;
  readonly resolvers: Resolvers;
  readonly limits: Limits;
  /** Clients' addresses as text, and as short keys. */
  readonly addresses = new Interner((bytes, start, end) => printIp(bytes.subarray(start, end)));
  readonly texts = new Interner(latin1);
  readonly sessions = new Connections<Session>();
  upstreams!: Upstreams<BalancedGroup<Session>>;
  /** Upstreams whose balancing goes by the time of the connection. */
  readonly timesConnection = new WeakSet<BalancedGroup<Session>>();
  /** Connections to upstreams come from addresses of others (`proxy_bind … transparent`). */
  bindsForeign = false;
  /** Set while the worker ends. */
  onIdle: (() => void) | undefined = undefined;
  /** This worker's line of the counters. */
  private readonly line: Float64Array;

  constructor(ports: StreamPorts) {
    this.ports = ports;
    const { reactor, memory } = ports;
    this.line = ports.counters.line(ports.slot);
    this.guard = new MemoryGuard(memory, () => reactor.clock.now());
    this.limits = new Limits(
      ports.shared,
      ports.random(4).reduce((sum, byte) => sum * 256 + byte, 0),
    );
    this.timers = new Timers(reactor.clock, (ring) => reactor.alarm(ring));
    this.dates = new Dates(reactor.clock, ports.timezoneOffset);
    const scratch = memory.allocate(SCRATCH_BYTES);
    this.scratch = { memory: scratch, bytes: scratch.bytes, size: SCRATCH_BYTES };
    this.accessLogs = new AccessLogs({
      clock: reactor.clock,
      compression: ports.compression,
      files: ports.files,
      memory,
      timers: this.timers,
      log: ports.log,
      nowS: () => this.dates.now(),
      complain: (session, level, message, errno) => session.logError(level, message, errno),
    });
    this.resolvers = new Resolvers({
      datagrams: ports.datagrams,
      streams: reactor,
      memory,
      timers: this.timers,
      log: ports.log,
      clock: reactor.clock,
      random: () => ports.random(4).reduce((sum, byte) => sum * 256 + byte, 0) / 2 ** 32,
    });
  }

  get clock(): Clock {
    return this.ports.reactor.clock;
  }

  get log(): Log {
    return this.ports.log;
  }

  private count(index: number, by: number): void {
    this.line[index] = (this.line[index] as number) + by;
  }

  /** Connections of this worker's clients, over all services. */
  get active(): number {
    return this.line[ACTIVE] as number;
  }

  /** A client has connected. */
  countAccepted(): void {
    this.count(ACCEPTED, 1);
  }

  adopt(session: Session): void {
    this.sessions.add(session);
    this.count(HANDLED, 1);
    this.count(ACTIVE, 1);
  }

  forget(session: Session): void {
    this.sessions.remove(session);
    this.count(ACTIVE, -1);
    if (this.onIdle !== undefined && this.sessions.size === 0) this.onIdle();
  }
}
