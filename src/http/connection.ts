/**
 * A client's connection: bytes in, requests one after another, bytes out. Counterpart in nginx: ngx_http_request.c
 * (keep-alive, lingering close). What is received comes through `connection-input.ts`, what is sent goes through `connection-output.ts`.
 *
 * | state      | means                                                         | timer                       |
 * |------------|---------------------------------------------------------------|-----------------------------|
 * | waiting    | nothing of the next request has come                          | header or keep-alive        |
 * | reading    | a part of a request's head has come                           | client_header_timeout       |
 * | active     | a request is being answered                                   | send_timeout while blocked  |
 * | body       | the request's body is being read                              | client_body_timeout         |
 * | discarding | the answer has been given, its request's body is thrown away   | lingering_timeout           |
 * | draining   | the last answer is on its way, then the connection ends       | send_timeout                |
 * | lingering  | our side is shut, what the client still sends is thrown away   | lingering_timeout           |
 *
 * Long because one machine with one set of private states; its input and output, heads and bodies have files of their own.
 * Memory: an idle connection owns no buffer. What a socket does not take is kept in `queue`, and nothing more is read until it has gone.
 */

import type { Bytes } from "../base/bytes.ts";
import { printIp } from "../base/ip.ts";
import type { Level } from "../base/log.ts";
import { printEndpoint } from "../io/listen.ts";
import type { Endpoint, Stream, StreamOwner } from "../io/stream.ts";
import type { TunnelStart } from "../net/tunnel.ts";
import { COMPLETE } from "../wire/http1/head-results.ts";
import type { ProxyHeader } from "../wire/proxy-protocol/decode.ts";
import {
  READING_HEADERS,
  READING_LINE,
  READING_PIPELINED_LINE,
  SENDING_TO_CLIENT,
  WAITING_FOR_REQUEST,
} from "./actions.ts";
import { ConnectionInput } from "./connection-input.ts";
import { ACTIVE, BODY, CLOSED, DISCARDING, DRAINING, LINGERING, READING, WAITING } from "./connection-states.ts";
import { begin, drive, followUp, refuseHead } from "./engine.ts";
import { errorContext, parsingContext } from "./error-context.ts";
import { applyPartial, isRefusedEarly, serverOfHead } from "./head-rules.ts";
import type { ListeningPoint } from "./location.ts";
import { CLIENT_CLOSED, CLOSE, RUN } from "./outcome.ts";
import type { Request } from "./request.ts";
import { resumeAnswer } from "./subrequest.ts";
import type { Worker } from "./worker.ts";

/** Idle time that a keep-alive connection has to bring one more request while the worker quiesces. */
const DRAIN_MS = 1000;
const NO_BYTES: Bytes = new Uint8Array(0);
const ENOMEM = 12;
const ECONNRESET = 104;
const ETIMEDOUT = 110;

const CLIENT_AND_UPSTREAM =
  "epoll_wait() reported that client prematurely closed connection, so upstream connection is closed too";

/** How long and until when the client's last bytes are awaited. */
interface Linger {
  readonly untilMs: number;
  readonly timeoutMs: number;
}

export class Connection extends ConnectionInput implements StreamOwner {
  /** `$connection` */
  readonly number: number;
  /** Whole milliseconds: small integers are no objects. */
  readonly startMs: number;
  /** Neighbours in the list of all; they belong to it. */
  older: Connection | undefined = undefined;
  newer: Connection | undefined = undefined;
  /** Who the client is: the other end of the stream, or whom a trusted proxy has named for this request (realip). */
  remote: Endpoint;
  private remoteText = "";
  /** What a proxy in front has said of its client: `listen … proxy_protocol`. */
  proxyHeader: ProxyHeader | undefined = undefined;
  /** What the error log says of a connection that has brought nothing yet. */
  waitingFor = WAITING_FOR_REQUEST;
  private noDelay = false;
  private mute = false;
  private linger: Linger | undefined = undefined;
  /** The subrequest on whose behalf things happen, for the log. */
  speaker: Request | undefined = undefined;
  /** Filters of the answer are at work further up in the call: they go on by themselves. */
  filtering = false;
  /** What is composed shall not wait for more. */
  urgent = false;
  /** Requests that go on when what runs now has returned. */
  private posted: Request[] | undefined = undefined;
  private runningPosted = false;
  /** Second part of the keep-alive time, behind keepalive_min_timeout. */
  private keepAliveRestMs = 0;

  constructor(worker: Worker, stream: Stream, point: ListeningPoint) {
    super(worker, stream, point);
    this.remote = stream.remote;
    this.number = worker.ports.counters.nextConnection();
    this.startMs = Math.floor(worker.ports.reactor.clock.now());
    worker.adopt(this);
    worker.timers.arm(this, point.defaultServer.conf.client_header_timeout);
  }

  /** Address of the client as text; `unix:` for a unix socket. */
  get remoteAddress(): string {
    if (this.remoteText === "") {
      const { remote } = this;
      this.remoteText = "ip" in remote ? this.worker.addresses.get(remote.ip, 0, remote.ip.length) : "unix:";
    }
    return this.remoteText;
  }

  /** From now on, and until the active request ends, this is the client. */
  setRemote(remote: Endpoint): void {
    this.remote = remote;
    this.remoteText = "";
  }

  /** Its next answer is the last: the worker ends, or another node has the address that the client has connected to. */
  get isLeaving(): boolean {
    const { quiescing, leaving } = this.worker;
    return quiescing || leaving?.has(this.localAddress) === true;
  }

  /** Address that the client has connected to, without port. */
  get localAddress(): string {
    const { local } = this.stream;
    return "ip" in local ? printIp(local.ip) : printEndpoint(local);
  }

  /** What the log says while a request line is read. */
  get lineAction(): string {
    return this.pipelining ? READING_PIPELINED_LINE : READING_LINE;
  }

  get idle(): boolean {
    return this.state === WAITING && this.requests > 0 && this.queue === undefined;
  }

  // ---- requests

  protected startRequest(request: Request, result: number, end: number): void {
    const { worker } = this;
    request.reset(this);
    request.pipelined = this.pipelining;
    this.request = request;
    this.requests++;
    worker.countRequest();
    if (this.state === READING) worker.countReading(-1);
    this.state = ACTIVE;
    this.stopTimer();
    if (result === COMPLETE) begin(request, this.point);
    else {
      if (request.head.inRequestLine) request.head.closeLine(end);
      refuseHead(request, this.point, result);
    }
    this.runPosted();
    if (this.request === request) this.detach(request);
  }

  /** The request goes on behind this call: its head must not lie in borrowed memory. */
  private detach(request: Request): void {
    if (request.head.bytes === this.worker.input.bytes) request.head.detach();
  }

  /** A tunnel takes the stream over, with what was held back of the client's bytes and what its socket has not taken. */
  lendStream(): TunnelStart {
    this.stopTimer();
    const { held } = this;
    this.held = undefined;
    return { toClient: this.takeQueue(), toPeer: held, clientEnded: this.ended };
  }

  // ---- output

  protected get closed(): boolean {
    return this.state === CLOSED || this.mute;
  }

  /** The client hears nothing any more, but its answer is still wanted. */
  private goMute(request: Request): void {
    this.mute = true;
    this.queue = undefined;
    this.stopTimer();
    request.keepAlive = false;
    request.exchange?.onClientDrained();
  }

  /** Every way into this connection ends here: composed bytes go out, and an ended connection is closed. */
  flush(): void {
    do {
      this.runPosted();
      this.flushPart();
      if (this.queue !== undefined && this.request !== undefined && this.request.limitRate > 0) this.pump();
    } while (this.posted !== undefined && !this.runningPosted);
    if (this.state === DRAINING && this.queue === undefined) this.closeNow();
  }

  /** A part of an answer that goes on goes out when it is worth a packet. nginx: ngx_http_write_filter. */
  private flushPart(): void {
    const { request } = this;
    if (request !== undefined && this.withholds(request)) {
      this.withhold(request.location.core.postpone_output);
      return;
    }
    this.urgent = false;
    if (this.withheld !== undefined) this.worker.claimOutput(this);
    this.flushOutput(false);
  }

  private withholds(request: Request): boolean {
    if (this.urgent || request.flushes || request.postAction || !request.headerSent) return false;
    // All of it has been given, and none of it waits for a subrequest.
    if (request.answerEnded && request.active === request && request.chain?.holds !== true) return false;
    // Answers before it lie in the same memory.
    const { worker } = this;
    return worker.outputOwner !== this || worker.output.used <= request.sentBytes;
  }

  protected drained(): void {
    const { request } = this;
    if (request !== undefined && this.state !== DISCARDING) this.goOn(request);
    if (this.state === BODY && request !== undefined && !this.bodyPaused)
      this.worker.timers.arm(this, request.location.core.client_body_timeout);
    this.proceed();
    this.sendLimited();
  }

  /** Under a limited rate everything goes through the queue: what was put there behind the last flush is sent in a later turn. */
  private sendLimited(): void {
    const { request } = this;
    if (this.queue === undefined || request === undefined || request.limitRate <= 0 || request.pausedUntilMs > 0)
      return;
    this.worker.ports.reactor.defer(() => this.continueSending());
  }

  /** The client has taken everything that was sent. */
  private goOn(request: Request): void {
    if (this.filtering) return;
    if (request.chain !== undefined || request.children !== undefined) resumeAnswer(request);
    else if (request.answerEnded) this.conclude(request);
    else request.exchange?.onClientDrained();
  }

  onWritable(): void {
    this.continueSending();
  }

  protected continueSending(): void {
    if (this.state === CLOSED) return;
    this.pump();
    this.flush();
  }

  fileFailed(request: Request, result: number): void {
    const name = request.file?.path ?? request.exchange?.cache?.path ?? "";
    if (result >= 0) this.logError("alert", `file "${name}" was truncated`);
    else this.logError("crit", `read() "${name}" failed`, -result);
    this.terminate(0);
  }

  // ---- the end of a request

  /** The whole answer has been given; the request ends when the socket has taken it. */
  endAnswer(request: Request): void {
    // The client may have gone while its answer was being given: then the request has ended already.
    if (this.request !== request) return;
    request.answerEnded = true;
    if (request.openSubrequests > 0 || request.chain?.holds === true) return;
    if (this.queue === undefined) {
      this.conclude(request);
      return;
    }
    if (request.limitRate <= 0) this.armSend();
    // From here on only the end of the client is of interest; its data wait.
    if (!this.looping) this.stream.resumeReading();
  }

  /** Continues a request that has waited for something. */
  resume(request: Request, outcome: number): void {
    if (this.request !== request.main || this.state === CLOSED) return;
    drive(request, outcome);
    this.runPosted();
    this.proceed();
    this.flush();
  }

  /** The request goes on when whatever runs now has returned. nginx: ngx_http_post_request. */
  post(request: Request): void {
    this.posted ??= [];
    this.posted.push(request);
  }

  private runPosted(): void {
    const { posted } = this;
    if (posted === undefined || this.runningPosted) return;
    this.runningPosted = true;
    for (let next = posted.shift(); next !== undefined; next = posted.shift()) {
      if (this.request === undefined || this.request !== next.main) continue;
      if (next.parked) drive(next, RUN);
      else resumeAnswer(next.main);
    }
    this.runningPosted = false;
    this.posted = undefined;
    this.proceed();
    this.sendLimited();
  }

  /** A subrequest is over. */
  logSubrequest(request: Request): void {
    if (request.location.core.log_subrequest) this.logRequest(request);
    request.logged = true;
  }

  /** The client has the whole answer. */
  private conclude(request: Request): void {
    if (!request.postAction) request.complete = true;
    if (this.hasFollowUp(request)) this.followUp(request);
    else if (request.postAction && this.mute) this.terminate(0);
    else this.finish(request);
  }

  private hasFollowUp({ location, postAction, uriChanges }: Request): boolean {
    return location.core.post_action !== undefined && !(postAction && uriChanges === 0);
  }

  private followUp(request: Request): void {
    if (request.file !== undefined) this.worker.files.release(request.file);
    request.file = undefined;
    followUp(request, request.location.core.post_action as string);
  }

  /** The active request can't be answered: the connection ends, but not before what shall be done behind every request. */
  abandon(status: number): void {
    const { request } = this;
    if (request === undefined || this.state === CLOSED || !this.hasFollowUp(request)) {
      this.terminate(status);
      return;
    }
    request.exchange?.abort();
    for (const child of request.children ?? []) {
      child.exchange?.abort();
      child.generation++;
      child.parked = false;
    }
    this.goMute(request);
    request.chain?.release();
    request.chain = undefined;
    request.active = request;
    request.postponed = undefined;
    request.openSubrequests = 0;
    request.bodyReader = undefined;
    request.bodyLeft = 0;
    this.state = ACTIVE;
    this.followUp(request);
  }

  protected finish(request: Request): void {
    const { worker } = this;
    request.complete = true;
    if (request.bodyDiscarded && request.bodyLeft !== 0 && !this.ended) {
      this.state = DISCARDING;
      this.relinger();
      if (!this.looping) this.resumeInput();
      return;
    }
    const { core } = request.location;
    const keepAlive = request.keepAlive && core.keepalive_timeout.timeout > 0;
    // nginx has forgotten by now that the connection stays, and $sent_http_connection says so in logs.
    request.keepAlive = false;
    this.logRequest(request);
    if (this.remote !== this.stream.remote) this.setRemote(this.stream.remote);
    worker.countAnswered();
    this.request = undefined;
    if (keepAlive) this.keepAlive(request);
    else {
      const unread = (this.looping && worker.input.at < worker.input.end) || this.held !== undefined;
      const wanted =
        core.lingering_close === "on" ? request.lingeringClose || unread : core.lingering_close === "always";
      this.linger = wanted ? lingerOf(request, worker.ports.reactor.clock.now()) : undefined;
      this.state = DRAINING;
      this.armSend();
    }
    worker.releaseRequest(request);
  }

  private keepAlive(request: Request): void {
    const { core } = request.location;
    this.state = WAITING;
    const { timeout } = core.keepalive_timeout;
    const minimum = core.keepalive_min_timeout;
    if (core.tcp_nodelay && !this.noDelay) {
      this.noDelay = true;
      this.stream.setNoDelay(true);
    }
    this.keepAliveRestMs = 0;
    const isReading = this.looping && this.worker.input.at < this.worker.input.end;
    this.pipelining = isReading || (this.held !== undefined && this.heldAlong);
    if (isReading) return;
    let delay = timeout;
    if (minimum > 0 && timeout > minimum) {
      delay = minimum;
      this.keepAliveRestMs = timeout - minimum;
    }
    this.worker.timers.arm(this, this.isLeaving ? Math.min(delay, minimum > 0 ? minimum : DRAIN_MS) : delay);
  }

  private logRequest(request: Request): void {
    if (request.logged) return;
    request.logged = true;
    const handlers = request.location.logHandlers;
    for (let i = 0; i < handlers.length; i++) (handlers[i] as (request: Request) => void)(request);
  }

  // ---- the end of the connection

  protected relinger(): void {
    const now = this.worker.ports.reactor.clock.now();
    const { request } = this;
    if (request !== undefined) this.linger ??= lingerOf(request, now);
    const left = this.linger === undefined ? 0 : this.linger.untilMs - now;
    if (left <= 0) this.terminate(0);
    else this.worker.timers.arm(this, Math.min(left, (this.linger as Linger).timeoutMs));
  }

  private closeNow(): void {
    if (this.linger === undefined || this.ended) {
      this.close();
      return;
    }
    this.held = undefined;
    this.state = LINGERING;
    this.stream.shutdownWrite();
    this.stream.resumeReading();
    this.relinger();
  }

  /** The client has sent everything. */
  onEnd(): void {
    this.ended = true;
    switch (this.state) {
      case WAITING:
        if (this.held !== undefined) return;
        if (this.queue !== undefined) return;
        if (this.requests > 0) {
          const { log } = this.point.defaultServer.location;
          const message = `client ${this.remoteAddress} closed keepalive connection`;
          if (log.enabled("info")) log.write("info", message, { connection: this.number });
        } else this.logError("info", "client closed connection", undefined, this.waitingFor);
        this.close();
        return;
      case READING:
        this.abandonHead(400, "client prematurely closed connection");
        return;
      case BODY:
        // While the body waits this is a hint only: it comes again behind the last byte.
        if (this.bodyPaused) return;
        this.logError("info", "client prematurely closed connection");
        this.abandon(400);
        return;
      case ACTIVE:
        if (this.looping) return;
        this.clientGone(undefined);
        return;
      case CLOSED:
        return;
      case DRAINING:
        return;
      default:
        this.terminate(0);
    }
  }

  /** The client went away in the middle of its request. An exchange with an upstream may go on without it. */
  private clientGone(errno: number | undefined): void {
    if (this.request?.postAction === true) return;
    const waiting = this.request === undefined ? undefined : waitingRequest(this.request);
    if (waiting?.exchange?.outlivesClient === true) return;
    if (waiting !== undefined && waiting !== this.request) this.speaker = waiting;
    this.logError("info", waiting === undefined ? "client prematurely closed connection" : CLIENT_AND_UPSTREAM, errno);
    this.speaker = undefined;
    this.abandon(CLIENT_CLOSED);
  }

  onError(errno: number): void {
    if (this.state === WAITING && errno === ECONNRESET) this.close();
    else if (this.state === ACTIVE && this.request !== undefined && waitingRequest(this.request) !== undefined)
      this.clientGone(errno);
    else this.failed(errno, "recv()");
  }

  onNoMemory(message: string): void {
    const { worker } = this;
    if (this.looping) {
      worker.reading = undefined;
      worker.input.clear();
    }
    this.logError("emerg", message, ENOMEM);
    this.terminate(500);
  }

  protected failed(errno: number, call: string): void {
    if (this.mute) return;
    if (this.state === ACTIVE && this.request?.exchange?.isStored === true) {
      this.goMute(this.request);
      return;
    }
    const level: Level = errno === ECONNRESET || errno === 32 || errno === ETIMEDOUT ? "info" : "alert";
    this.logError(level, `${call} failed`, errno, call === "recv()" ? undefined : this.sendingAction);
    if (this.state === READING) this.abandonHead(400);
    else this.abandon(0);
  }

  /** What the log says of sending while an upstream's answer passes. */
  private get sendingAction(): string | undefined {
    return this.request !== undefined && waitingRequest(this.request) !== undefined ? SENDING_TO_CLIENT : undefined;
  }

  onTimer(): void {
    if (this.queue !== undefined) {
      if (this.request !== undefined && this.request.pausedUntilMs > 0) {
        this.request.pausedUntilMs = 0;
        this.continueSending();
        return;
      }
      this.logError("info", "client timed out", ETIMEDOUT, this.sendingAction);
      this.timedOut(408);
      return;
    }
    switch (this.state) {
      case WAITING:
        if (this.keepAliveRestMs > 0 && !this.isLeaving) {
          this.worker.timers.arm(this, this.keepAliveRestMs);
          this.keepAliveRestMs = 0;
          return;
        }
        if (this.requests === 0) this.logError("info", "client timed out", ETIMEDOUT, this.waitingFor);
        this.close();
        return;
      case READING:
        this.resetIfConfigured();
        this.abandonHead(408, "client timed out", ETIMEDOUT);
        return;
      case BODY:
        // nginx says nothing either.
        this.timedOut(408);
        return;
      default:
        this.terminate(0);
    }
  }

  /** 444: without an answer. nginx: ngx_http_terminate_request with reset_timedout_connection. */
  closeSilently(): void {
    this.resetIfConfigured();
    this.terminate(CLOSE);
  }

  private timedOut(status: number): void {
    this.resetIfConfigured();
    this.abandon(status);
  }

  private resetIfConfigured(): void {
    const location = this.request?.location ?? this.point.defaultServer.location;
    if (location.core.reset_timedout_connection) this.stream.setResetOnClose();
  }

  /** A head will not be completed: the attempt is logged, and the connection ends. */
  private abandonHead(status: number, message = "", errno?: number): void {
    const { worker, point } = this;
    const partial = this.partial ?? this.emptyRequest();
    this.partial = undefined;
    partial.reset(this);
    applyPartial(partial, point);
    partial.status = status;
    this.requests++;
    worker.countRequest();
    worker.countAnswered();
    const { log } = partial.location;
    const action = partial.head.inRequestLine ? this.lineAction : READING_HEADERS;
    if (message !== "" && log.enabled("info")) log.write("info", message, errorContext(this, partial, action, errno));
    this.logRequest(partial);
    worker.releaseRequest(partial);
    this.close();
  }

  /** Nothing but empty lines has come: a request all the same. */
  private emptyRequest(): Request {
    const request = this.worker.takeRequest();
    const { clock } = this.worker.ports.reactor;
    request.head.begin(NO_BYTES, 0);
    request.startMs = clock.now();
    request.startWallMs = clock.wall();
    return request;
  }

  /** Ends the connection at once; an active request is logged with this status if it has none. */
  terminate(status: number): void {
    if (this.state === CLOSED) return;
    const { request } = this;
    if (request !== undefined) {
      request.exchange?.abort();
      for (const child of request.children ?? []) child.exchange?.abort();
      request.sentBytes -= this.queuedBytes() + (this.withheld?.length ?? 0);
      if (status > 0 && (request.status === 0 || request.sentBytes === 0)) request.status = status;
      this.request = undefined;
      this.worker.countAnswered();
      this.logRequest(request);
      this.close();
      this.worker.releaseRequest(request);
      return;
    }
    if (this.state === READING) this.abandonHead(status === 0 ? 400 : status);
    else this.close();
  }

  /** Ends an idle connection, or lets one that quiesces bring a last request. */
  quiesce(): void {
    if (this.state === WAITING && this.requests === 0) {
      // A client that has just connected may be about to send its first request.
      this.worker.timers.arm(this, DRAIN_MS);
    } else if (this.idle) {
      const minimum = this.point.defaultServer.location.core.keepalive_min_timeout;
      this.worker.timers.arm(this, minimum > 0 ? minimum : DRAIN_MS);
    } else if (this.state === LINGERING) this.close();
  }

  private close(): void {
    if (this.state === CLOSED) return;
    if (this.state === READING) this.worker.countReading(-1);
    this.state = CLOSED;
    this.queue = undefined;
    this.withheld = undefined;
    this.held = undefined;
    if (this.partial !== undefined) {
      this.worker.releaseRequest(this.partial);
      this.partial = undefined;
    }
    this.worker.timers.discard(this);
    this.stream.close();
    this.worker.forget(this);
  }

  /** A header line of the request that is being parsed is dropped. */
  logIgnored(line: string): void {
    const { worker, point } = this;
    const request = worker.parsing as Request;
    if (isRefusedEarly(request.head, point)) return;
    const server = serverOfHead(request, point);
    server.location.log.write("info", `client sent invalid header line: "${line}"`, parsingContext(this, server));
  }

  logError(level: Level, message: string, errno?: number, action?: string): void {
    this.logErrorOf(this.speaker ?? this.request, level, message, errno, action);
  }

  /** On behalf of this request, whichever is at work. */
  logErrorOf(request: Request | undefined, level: Level, message: string, errno?: number, action?: string): void {
    const log = request === undefined ? this.point.defaultServer.location.log : request.location.log;
    if (log.enabled(level)) log.write(level, message, errorContext(this, request, action, errno));
  }
}

/** The request itself, or one of its subrequests, that waits for an upstream. */
function waitingRequest(request: Request): Request | undefined {
  if (request.exchange?.active === true) return request;
  return request.children?.find(({ exchange }) => exchange?.active === true);
}

/** The lingering close that a request asks for. */
function lingerOf({ location: { core } }: Request, now: number): Linger {
  return { untilMs: now + core.lingering_time, timeoutMs: core.lingering_timeout };
}
