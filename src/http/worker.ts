/** What all connections of a worker share: ports, clock texts, output memory, pools, counters. */
import { latin1 } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import { Interner } from "../base/interner.ts";
import { printIp } from "../base/ip.ts";
import type { Log } from "../base/log.ts";
import type { Memory } from "../io/memory.ts";
import { AccessLogs } from "../net/access-logs.ts";
import { Connections } from "../net/connections.ts";
import { ACCEPTED, ACTIVE, HANDLED, READING, REQUESTS, WRITING } from "../net/counters.ts";
import { Dates } from "../net/dates.ts";
import { Limits } from "../net/limits.ts";
import { MemoryGuard } from "../net/memory-guard.ts";
import { Resolvers } from "../net/resolvers.ts";
import { Timers } from "../net/timers.ts";
import type { Upstreams } from "../net/upstreams.ts";
import { parseHost } from "../wire/http1/host.ts";
import { LOGGING_REQUEST } from "./actions.ts";
import { AnswerHeads } from "./answer-head.ts";
import { PIECE_BYTES } from "./body.ts";
import { BodyMemory } from "./body-memory.ts";
import type { Connection } from "./connection.ts";
import type { ConnectionInput } from "./connection-input.ts";
import type { ConnectionOutput } from "./connection-output.ts";
import { Etags } from "./etags.ts";
import { FileCaches } from "./file-cache.ts";
import { persistence } from "./head-rules.ts";
import type { HealthChecks } from "./health-checks.ts";
import { Input } from "./input.ts";
import { OpenFiles } from "./open-files.ts";
import { OUTPUT_BYTES, Output } from "./output.ts";
import { Request } from "./request.ts";
import type { HttpPorts } from "./service.ts";
import { ErrorPages } from "./special-response.ts";
import { lineName } from "./upstream-answer.ts";
import type { Upstream } from "./upstream-group.ts";
import { UserIds } from "./user-ids.ts";

/** Requests kept for use again; more than that at once become garbage afterwards. */
const POOLED_REQUESTS = 256;
const SCRATCH_BYTES = 64 * 1024;

export class Worker {
  readonly ports: HttpPorts;
  readonly timers: Timers;
  readonly dates: Dates;
  readonly output: Output;
  /** Whose bytes lie in the output memory. */
  outputOwner: ConnectionOutput | undefined = undefined;
  /** What the current call has received, and the connection that is reading it. */
  readonly input = new Input();
  reading: ConnectionInput | undefined = undefined;
  /** Whose head is being parsed. */
  parsing: Request | undefined = undefined;
  /** Memory for bytes on their way to a file or to an upstream; belongs to nobody between calls. */
  scratch: Output;
  readonly heads: AnswerHeads;
  readonly files: OpenFiles;
  readonly accessLogs: AccessLogs<Request>;
  readonly guard: MemoryGuard;
  readonly bodyMemory: BodyMemory;
  readonly errorPages = new ErrorPages();
  readonly etags = new Etags();
  /** Plain paths and hosts that were seen before. */
  readonly paths = new Interner(latin1);
  readonly hosts = new Interner(parseHost);
  /** What lines of Connection ask for. */
  readonly persistences = new Interner(persistence);
  /** Clients' addresses as text. */
  readonly addresses = new Interner((bytes, start, end) => printIp(bytes.subarray(start, end)));
  /** Names of header lines and short texts of upstreams' answers. */
  readonly lineNames = new Interner(lineName);
  readonly texts = new Interner(latin1);
  /** Connections to upstreams come from addresses of others (`proxy_bind … transparent`). */
  bindsForeign = false;
  /** The upstreams of the configuration. */
  upstreams!: Upstreams<Upstream>;
  /** Their active health checks. */
  health!: HealthChecks;
  /** Opened with the configuration. */
  readonly caches = new FileCaches();
  readonly resolvers: Resolvers;
  readonly connections = new Connections<Connection>();
  /** Every answer closes; see `Connection.isLeaving`. */
  quiescing = false;
  /** Addresses that another node has now: answers to them close, too. */
  leaving: ReadonlySet<string> | undefined = undefined;
  /** Set while the worker ends: no new connections. */
  onIdle: (() => void) | undefined = undefined;
  /** This worker's line of the counters that all workers share. */
  private readonly line: Float64Array;
  readonly limits: Limits;
  readonly userIds: UserIds;
  private readonly pool: Request[] = [];
  private pieces: Memory | undefined = undefined;
  private temporaryNumber: number;

  constructor(ports: HttpPorts) {
    this.ports = ports;
    this.guard = new MemoryGuard(ports.memory, () => ports.reactor.clock.now());
    this.bodyMemory = new BodyMemory(ports.memory, this.guard);
    this.line = ports.counters.line(ports.slot);
    this.limits = new Limits(
      ports.shared,
      ports.random(4).reduce((sum, byte) => sum * 256 + byte, 0),
    );
    this.userIds = new UserIds(
      ports.random(2).reduce((sum, byte) => sum * 256 + byte, 0),
      ports.processId,
    );
    const { reactor } = ports;
    this.timers = new Timers(reactor.clock, (ring) => reactor.alarm(ring));
    this.dates = new Dates(reactor.clock, ports.timezoneOffset);
    this.output = new Output(ports.memory.allocate(OUTPUT_BYTES), OUTPUT_BYTES);
    this.scratch = new Output(ports.memory.allocate(SCRATCH_BYTES), SCRATCH_BYTES);
    this.heads = new AnswerHeads(this.dates);
    this.files = new OpenFiles(ports.files, reactor.clock, ports.log);
    this.accessLogs = new AccessLogs({
      clock: reactor.clock,
      compression: ports.compression,
      files: ports.files,
      memory: ports.memory,
      timers: this.timers,
      log: ports.log,
      nowS: () => this.dates.now(),
      complain: ({ connection }, level, message, errno) => connection.logError(level, message, errno, LOGGING_REQUEST),
    });
    this.resolvers = new Resolvers({
      datagrams: ports.datagrams,
      streams: reactor,
      memory: ports.memory,
      timers: this.timers,
      log: ports.log,
      clock: reactor.clock,
      random: () => ports.random(4).reduce((sum, byte) => sum * 256 + byte, 0) / 2 ** 32,
    });
    this.temporaryNumber = ports.random(4).reduce((sum, byte) => (sum * 256 + byte) % 0x1000000, 0);
  }

  get clock(): Clock {
    return this.ports.reactor.clock;
  }

  get log(): Log {
    return this.ports.log;
  }

  /** Where a piece of a file is read for filters of its body. */
  get pieceMemory(): Memory {
    this.pieces ??= this.ports.memory.allocate(PIECE_BYTES);
    return this.pieces;
  }

  /** The scratch memory, larger than before when it must be. */
  scratchFor(sizeBytes: number): Output {
    if (sizeBytes > this.scratch.size) this.scratch = new Output(this.ports.memory.allocate(sizeBytes), sizeBytes);
    return this.scratch;
  }

  takeRequest(): Request {
    return this.pool.pop() ?? new Request();
  }

  releaseRequest(request: Request): void {
    request.generation++;
    request.chain?.release();
    if (request.children !== undefined) {
      for (const child of request.children) this.releaseRequest(child);
      request.children = undefined;
    }
    if (request.file !== undefined) {
      this.files.release(request.file);
      request.file = undefined;
    }
    request.exchange?.forget();
    request.limits?.release();
    if (request.body !== undefined) {
      if (request.parent === undefined) request.body.release();
      request.body = undefined;
    }
    if (request.parent !== undefined) request.becomeMain();
    if (this.pool.length < POOLED_REQUESTS) this.pool.push(request);
  }

  /** Grows by one: names of temporary files and boundaries. */
  temporary(): number {
    return ++this.temporaryNumber;
  }

  /** The output memory for this connection; another's bytes in it are sent first. */
  claimOutput(connection: ConnectionOutput): Output {
    const owner = this.outputOwner;
    if (owner !== connection) {
      if (owner !== undefined && this.output.used > 0) owner.flushComposed();
      this.outputOwner = connection;
      connection.restoreWithheld(this.output);
    }
    return this.output;
  }

  private count(index: number, by: number): void {
    this.line[index] = (this.line[index] as number) + by;
  }

  /** A client has connected. */
  countAccepted(): void {
    this.count(ACCEPTED, 1);
  }

  /** Its connection begins. */
  adopt(connection: Connection): void {
    this.connections.add(connection);
    this.count(HANDLED, 1);
    this.count(ACTIVE, 1);
  }

  /** The head of a request has begun to come (1), or is no longer awaited (-1). */
  countReading(by: 1 | -1): void {
    this.count(READING, by);
  }

  /** A request begins. */
  countRequest(): void {
    this.count(REQUESTS, 1);
    this.count(WRITING, 1);
  }

  /** A request has ended. */
  countAnswered(): void {
    this.count(WRITING, -1);
  }

  /** A connection that no client has made: as if it had never been. */
  disown(connection: Connection): void {
    this.forget(connection);
    this.count(HANDLED, -1);
  }

  /** A connection has gone. */
  forget(connection: Connection): void {
    this.connections.remove(connection);
    this.count(ACTIVE, -1);
    if (this.outputOwner === connection) {
      this.outputOwner = undefined;
      this.output.used = 0;
    }
    if (this.quiescing && this.connections.size === 0) this.onIdle?.();
  }
}
