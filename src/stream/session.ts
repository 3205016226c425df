/**
 * A client's connection from its first byte to its line in the log. Counterpart in nginx: ngx_stream_handler.c, the phases of
 * ngx_stream_core_module.c.
 *
 * | state    | means                                                            | timer                     |
 * |----------|------------------------------------------------------------------|---------------------------|
 * | begun    | nothing is awaited: the phases run                               | none                      |
 * | header   | a PROXY protocol header is awaited                               | proxy_protocol_timeout    |
 * | preread  | a handler wants to see more of what the client sends first       | preread_timeout           |
 * | content  | somebody has taken the session over; reading is paused until then | theirs                    |
 * | closed   | over                                                             | none                      |
 */
import { type Bytes, concatBytes, fromLatin1 } from "../base/bytes.ts";
import { printIp } from "../base/ip.ts";
import type { Level } from "../base/log.ts";
import { printEndpoint } from "../io/listen.ts";
import type { Memory } from "../io/memory.ts";
import type { Endpoint, Stream, StreamOwner } from "../io/stream.ts";
import { ETIMEDOUT, PEER_FAILURES } from "../net/peer-failures.ts";
import { Timed } from "../net/timers.ts";
import type { Subject } from "../net/variables.ts";
import { parseHost } from "../wire/http1/host.ts";
import { decodeProxyHeader, type ProxyHeader } from "../wire/proxy-protocol/decode.ts";
import type { ClientHello } from "../wire/tls/client-hello.ts";
import { errorContext } from "./error-context.ts";
import type { SessionLimits } from "./limits.ts";
import { AGAIN, BAD_REQUEST, DECLINED, FINISHED, INTERNAL_SERVER_ERROR, OK } from "./outcome.ts";
import type { Proxying } from "./proxying.ts";
import { type Handler, type ListeningPoint, PHASES, PREREAD, type Server } from "./server.ts";
import type { Worker } from "./worker.ts";

const BEGUN = 0;
const READING_HEADER = 1;
const PREREADING = 2;
const CONTENT = 3;
const CLOSED = 4;

const INITIALIZING = "initializing session";
const NOTHING: Bytes = new Uint8Array(0);

/** Who has taken a session over hears of the client's socket what a session does not decide itself. */
export interface Content {
  /** There is room again. */
  onWritable?(): void;
  onTimer?(): void;
  /** The session ends, for whatever reason: lets go of all it has. */
  close(): void;
}

export class Session extends Timed implements StreamOwner, Subject {
  readonly worker: Worker;
  readonly stream: Stream;
  /** `$connection` */
  readonly number: number;
  readonly startMs: number;
  point: ListeningPoint;
  server: Server;
  older: Session | undefined = undefined;
  newer: Session | undefined = undefined;
  readonly values: (string | undefined)[] = [];
  captures: readonly (string | undefined)[] | undefined = undefined;
  /** Who the client is: the other end of the stream, or whom a trusted proxy has named (realip). */
  remote: Endpoint;
  private remoteText = "";
  /** What a proxy in front has said of its client. */
  proxyHeader: ProxyHeader | undefined = undefined;
  /** What is being done, for the log; "" for nothing in particular. */
  action = INITIALIZING;
  /** `$status`; 0 until the session ends. */
  status = 0;
  /** Bytes that the client has sent and that somebody has taken, and those that its socket has taken. */
  receivedBytes = 0;
  sentBytes = 0;
  /** What the client has sent before anybody took it. */
  preread: Bytes = NOTHING;
  /** What the session has with an upstream. */
  proxying: Proxying | undefined = undefined;
  /** What the client has said in its ClientHello (ssl_preread). */
  clientHello: ClientHello | undefined = undefined;
  /** What limits keep of it. */
  limits: SessionLimits | undefined = undefined;
  private content: Content | undefined = undefined;
  private state = BEGUN;
  private phase = 0;
  private handler = 0;

  constructor(worker: Worker, stream: Stream, point: ListeningPoint) {
    super();
    this.worker = worker;
    this.stream = stream;
    this.point = point;
    this.server = point.defaultServer;
    this.remote = stream.remote;
    this.number = worker.ports.counters.nextConnection();
    this.startMs = worker.clock.now();
    worker.adopt(this);
    const { log } = this.server;
    if (log.enabled("info"))
      log.write("info", `client ${printRemote(stream.remote)} connected to ${point.name}`, { connection: this.number });
  }

  /** Begins: in a call behind the one that has accepted the connection nothing may be left undone. */
  start(): void {
    if (this.point.proxyProtocol) {
      this.action = "reading PROXY protocol";
      this.state = READING_HEADER;
      this.worker.timers.arm(this, this.server.conf.proxy_protocol_timeout);
    } else this.runPhases();
  }

  /** Address of the client as text; `unix:` for a unix socket. */
  get remoteAddress(): string {
    if (this.remoteText === "") {
      const { remote } = this;
      this.remoteText = "ip" in remote ? this.worker.addresses.get(remote.ip, 0, remote.ip.length) : "unix:";
    }
    return this.remoteText;
  }

  /** From now on this is the client. */
  setRemote(remote: Endpoint): void {
    this.remote = remote;
    this.remoteText = "";
  }

  /** Address that the client has connected to, without port. */
  get localAddress(): string {
    const { local } = this.stream;
    return "ip" in local ? printIp(local.ip) : printEndpoint(local);
  }

  get isOpen(): boolean {
    return this.state !== CLOSED;
  }

  logError(level: Level, message: string, errno?: number): void {
    const { log } = this.server;
    if (log.enabled(level)) log.write(level, message, errorContext(this, errno));
  }

  /** A message that needs no more context than the session's number. */
  logPlain(level: Level, message: string): void {
    const { log } = this.server;
    if (log.enabled(level)) log.write(level, message, { connection: this.number });
  }

  // ---- phases

  /** Runs on until somebody has to wait, or has taken the session over. */
  private runPhases(): void {
    while (this.phase < PHASES.length) {
      const handlers = this.server.phases[this.phase] as readonly Handler[];
      const handler = handlers[this.handler];
      if (handler === undefined) {
        this.nextPhase();
        continue;
      }
      if (this.phase === PREREAD) this.action = "prereading client data";
      const result = handler(this);
      if (this.state === CLOSED) return;
      if (result === OK) this.nextPhase();
      else if (result === DECLINED) this.handler++;
      else if (result === AGAIN) {
        this.waitForMore();
        return;
      } else {
        this.finish(result);
        return;
      }
    }
    this.action = "";
    this.takeOver();
  }

  private nextPhase(): void {
    this.phase++;
    this.handler = 0;
  }

  private waitForMore(): void {
    const { conf } = this.server;
    if (this.preread.length >= conf.preread_buffer_size) {
      this.logError("error", "preread buffer full");
      this.finish(BAD_REQUEST);
      return;
    }
    if (this.state === PREREADING) return;
    this.state = PREREADING;
    this.worker.timers.arm(this, conf.preread_timeout);
  }

  /** The client has named a server: of those that share its address it gets the one with this name, which is checked here. */
  chooseServer(name: string): void {
    const { names } = this.point;
    if (names === undefined || name === "") return;
    const bytes = fromLatin1(name);
    const host = parseHost(bytes, 0, bytes.length)?.host;
    if (host !== undefined) this.server = names.find(this, host) ?? this.server;
  }

  /** What of the client's first bytes a preread handler may look at. */
  get visiblePreread(): Bytes {
    return this.preread.subarray(0, this.server.conf.preread_buffer_size);
  }

  private takeOver(): void {
    const { server, stream } = this;
    this.stopTimer();
    this.state = CONTENT;
    stream.pauseReading();
    if (server.conf.tcp_nodelay) stream.setNoDelay(true);
    if (server.content === undefined) this.finish(INTERNAL_SERVER_ERROR);
    else server.content(this);
  }

  /** Who has the session now. */
  lendTo(content: Content): void {
    this.content = content;
  }

  // ---- the client's socket

  onData(memory: Memory, start: number, end: number): void {
    if (this.state === CLOSED) return;
    const arrived = memory.bytes.subarray(start, end);
    if (this.state === READING_HEADER) {
      this.readHeader(arrived);
      return;
    }
    // A reactor may have had more in hand when it was told to pause: no more than it reads at once.
    this.worker.guard.claim(arrived.length);
    this.preread = this.preread.length === 0 ? arrived.slice() : concatBytes([this.preread, arrived]);
    if (this.state === PREREADING) this.runPhases();
  }

  private readHeader(arrived: Bytes): void {
    const begun = this.preread;
    const all = begun.length === 0 ? arrived : concatBytes([begun, arrived]);
    const result = decodeProxyHeader(all);
    if (result.kind === "incomplete") {
      this.preread = all.slice();
      return;
    }
    if (result.kind === "malformed") {
      this.refuseHeader(result.reason);
      return;
    }
    const { header } = result;
    if (header.ends !== undefined) this.proxyHeader = { ...header, tlvs: header.tlvs.slice() };
    this.preread = all.slice(header.sizeBytes);
    this.stopTimer();
    this.action = INITIALIZING;
    this.state = BEGUN;
    this.runPhases();
  }

  private refuseHeader(reason: string): void {
    this.logError("error", reason);
    this.finish(BAD_REQUEST);
  }

  onEnd(): void {
    if (this.state === READING_HEADER) {
      const result = decodeProxyHeader(this.preread);
      this.refuseHeader(result.kind === "header" ? "" : result.reason);
    } else if (this.state === PREREADING) this.finish(FINISHED);
    // Else reading is paused: it comes again behind the last byte.
  }

  onWritable(): void {
    this.content?.onWritable?.();
  }

  onError(errno: number): void {
    if (this.state === CLOSED) return;
    this.logError(PEER_FAILURES.has(errno) ? "info" : "alert", "recv() failed", errno);
    this.finish(FINISHED);
  }

  onNoMemory(message: string): void {
    this.logError("emerg", message);
    this.finish(INTERNAL_SERVER_ERROR);
  }

  onTimer(): void {
    if (this.state === CONTENT) this.content?.onTimer?.();
    else {
      if (this.state === READING_HEADER) this.logError("info", "client timed out", ETIMEDOUT);
      this.finish(FINISHED);
    }
  }

  // ---- the end

  /** Ends the session, which is logged. nginx: ngx_stream_finalize_session. */
  finish(status: number): void {
    if (this.state === CLOSED) return;
    this.content?.close();
    this.status = status;
    for (const log of this.server.logHandlers) log(this);
    this.close();
  }

  private close(): void {
    this.state = CLOSED;
    this.content = undefined;
    this.preread = NOTHING;
    this.worker.timers.discard(this);
    this.stream.close();
    this.limits?.leave();
    this.worker.forget(this);
  }
}

function printRemote(remote: Endpoint): string {
  return "ip" in remote ? printEndpoint(remote) : "unix:";
}
