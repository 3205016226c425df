/**
 * The side of an exchange that faces the upstream: chooses a peer, connects or takes an idle connection, sends the request, and
 * goes on to the next peer when one fails. What the answer becomes is upstream.ts. Counterpart in nginx: the first half of
 * ngx_http_upstream.c.
 *
 * | phase      | means                                                          | timer           |
 * |------------|----------------------------------------------------------------|-----------------|
 * | idle       | it has not begun, or it is over                                | none            |
 * | resolving  | the addresses of its host are asked for                        | the resolver's  |
 * | locked     | somebody else fetches the same into the cache: it waits          | the lock's      |
 * | queued     | no peer can be had now: it waits for one (upstream-queue.ts)   | the queue's     |
 * | connecting | a new connection is on its way                                 | connect_timeout |
 * | sending    | the request is being sent; an answer may come early            | send_timeout    |
 * | waiting    | the request is sent, the head of the answer is awaited         | read_timeout    |
 * | answering  | the body of the answer passes through                          | read_timeout    |
 * | tunnelling | upgraded: a tunnel (tunnel.ts) has both streams                | the tunnel's    |
 */
import { Pick } from "../balance/pick.ts";
import { FAILURE, NEXT, type PeerOutcome, SUCCESS } from "../balance/round_robin.ts";
import type { IpAddress } from "../base/ip.ts";
import type { Level } from "../base/log.ts";
import type { Memory } from "../io/memory.ts";
import type { Endpoint } from "../io/stream.ts";
import { AT_ONCE, callText, ENOENT, EPIPE, ETIMEDOUT, PEER_FAILURES } from "../net/peer-failures.ts";
import { type Lookup, type Resolution, resolverCodeText } from "../net/resolver.ts";
import { Timed } from "../net/timers.ts";
import { Tries, type Try, UNKNOWN } from "../net/upstream-try.ts";
import { LOCK, PATCH, POST } from "../wire/http1/methods.ts";
import type { BodyBuffer } from "./body-buffer.ts";
import type { CacheUse } from "./cache-use.ts";
import { FramedBody, framedRoom, writeFramed } from "./framed-body.ts";
import { OK } from "./outcome.ts";
import type { Output } from "./output.ts";
import { PeerConnection, type PeerUser } from "./peer-connection.ts";
import type { Request } from "./request.ts";
import { Unsent } from "./unsent.ts";
import type { Upload, UploadUser } from "./upload.ts";
import { STATUS_OF } from "./upstream-failures.ts";
import type { Upstream } from "./upstream-group.ts";
import type { AnswerReader } from "./upstream-protocol.ts";
import type { QueueTicket } from "./upstream-queue.ts";
import {
  type Destination,
  type NamedDestination,
  NEXT_ERROR,
  NEXT_HTTP_403,
  NEXT_HTTP_404,
  NEXT_NO_LIVE,
  NEXT_NON_IDEMPOTENT,
  NEXT_TIMEOUT,
  type Target,
  type UpstreamRules,
} from "./upstream-rules.ts";

export const IDLE = 0;
const RESOLVING = 1;
const CONNECTING = 2;
const SENDING = 3;
const WAITING = 4;
export const ANSWERING = 5;
export const TUNNELLING = 6;
const QUEUED = 7;
export const LOCKED = 8;

const WHILE_CONNECTING = "while connecting to upstream";
const WHILE_SENDING = "while sending request to upstream";
export const WHILE_READING_HEAD = "while reading response header from upstream";

/** A larger body in memory is sent from where it lies. */
const MERGED_BODY_BYTES = 16 * 1024;

/** It goes out in one piece with the head. */
function isShort({ file, length }: BodyBuffer): boolean {
  return file === undefined && length <= MERGED_BODY_BYTES;
}

export abstract class PeerSide extends Timed implements PeerUser, UploadUser, QueueTicket {
  readonly tries = new Tries();
  /** `$proxy_host` and its like; undefined before the first request has got that far. */
  destination: Destination | undefined = undefined;
  /** The destination, once its peers are known. */
  target: Target | undefined = undefined;
  /** What it is doing, for the log. */
  action: string | undefined = undefined;
  /** What it has with a cache; kept for variables until the request is over. */
  cache: CacheUse | undefined = undefined;
  readonly request: Request;
  /** Reads what the upstream answers, where that is not HTTP/1. */
  protected reader: AnswerReader | undefined = undefined;
  protected phase = IDLE;
  protected rules!: UpstreamRules;
  protected pick: Pick | undefined = undefined;
  protected uri = "";
  protected peerName = "";
  private endpoint: Endpoint | undefined = undefined;
  protected attempt!: Try;
  protected connection: PeerConnection | undefined = undefined;
  /** The connection was an idle one: when it fails before an answer, that does not count as a try. */
  private reused = false;
  private lookup: Lookup | undefined = undefined;
  private resolved: ((result: Resolution<readonly IpAddress[]>) => void) | undefined = undefined;
  protected requestSent = false;
  private bodySent = false;
  /** The head of the request, when it must not wait for the connection. */
  private composed: Uint8Array | undefined = undefined;
  /** The connection may be kept: the answer has come to its end. */
  protected keepable = false;
  /** Reading from the peer is paused, because the client is slow. */
  protected paused = false;
  /** The request's body, while it is passed on as it comes. */
  upload: Upload | undefined = undefined;
  /** Parts of the request that the socket has not taken. */
  private readonly unsent = new Unsent();
  private beganMs = 0;
  /** The session or peer that the request names, for `sticky`, and the line of our answer that holds the cookie; -1 without. */
  private stickyId = "";
  private cookieLine = -1;
  protected attemptMs = 0;

  constructor(request: Request) {
    super();
    this.request = request;
  }

  /** The answer's head is no longer that of the last peer. */
  protected abstract forgetHead(): void;
  /** An old answer of the cache takes the place of the one that can't be had, for this reason (set of NEXT_ bits). True when it has. */
  protected abstract servesStale(reason: number): boolean;
  /** Connected, where nothing else is needed (`tunnels` of the rules). */
  protected abstract onTunnelReady(): void;
  /** The end of the peer's side ends the answer well. */
  protected abstract endsWithConnection(): boolean;
  /** Ends the exchange: OK, ERROR or a status to answer. Nothing may be done behind it. */
  protected abstract finalize(rc: number): void;
  abstract onPeerData(memory: Memory, start: number, end: number): void;

  get active(): boolean {
    return this.phase !== IDLE;
  }

  /** It goes on when the client has gone. */
  get outlivesClient(): boolean {
    return this.rules.ignoreClientAbort || this.isStored;
  }

  /** It goes on even when nothing can be sent any more: a copy is kept. */
  get isStored(): boolean {
    return this.active && (this.rules.store !== undefined || this.cache?.freshness.cacheable === true);
  }

  /** Where the request is, as the log names it. */
  get logName(): string | undefined {
    if (this.peerName === "" || this.target === undefined) return undefined;
    const separator = this.endpoint !== undefined && "path" in this.endpoint ? ":" : "";
    return `${this.target.scheme}${this.peerName}${separator}${this.uri}`;
  }

  protected now(): number {
    return this.request.connection.worker.ports.reactor.clock.now();
  }

  log(level: Level, message: string, errno?: number): void {
    const { connection } = this.request;
    const { speaker } = connection;
    if (this.request.parent !== undefined) connection.speaker = this.request;
    connection.logError(level, message, errno);
    connection.speaker = speaker;
  }

  // ---- a peer

  /** Looks the host up, then gives the request to the first of its addresses. nginx: ngx_http_upstream_resolve_handler. */
  protected resolve(destination: NamedDestination): void {
    const { worker } = this.request.connection;
    const { resolver, resolver_timeout: timeoutMs } = this.request.location.core;
    const { host } = destination.address;
    this.phase = RESOLVING;
    if (resolver === undefined) {
      this.log("error", `no resolver defined to resolve ${host}`);
      this.giveUpName();
      return;
    }
    this.resolved ??= (result) => this.onResolved(result);
    const lookup = worker.resolvers.of(resolver).resolveName(host, timeoutMs, this.resolved);
    if (this.phase === RESOLVING) this.lookup = lookup;
  }

  private onResolved(result: Resolution<readonly IpAddress[]>): void {
    const { request } = this;
    const destination = this.destination as NamedDestination;
    this.lookup = undefined;
    if (!result.ok) {
      const name = destination.address.host.replace(/\.$/, "");
      this.log("error", `${name} could not be resolved (${result.code}: ${resolverCodeText(result.code)})`);
      this.giveUpName();
      return;
    }
    const upstream = request.connection.worker.upstreams.resolved(destination.address, result.value);
    const { scheme, hostHeader, port, uri, keyStart } = destination;
    this.approach({ upstream, scheme, hostHeader, port, uri, keyStart });
  }

  private giveUpName(): void {
    if (this.tries.count > 0) this.tries.add();
    this.finalize(502);
  }

  /** Gives the request to the first peer. */
  protected approach(target: Target): void {
    const { rules } = this;
    this.target = target;
    if (this.tries.count > 0) this.tries.add();
    const { balancer } = target.upstream;
    const pick = this.pick ?? new Pick(balancer.group);
    this.pick = pick;
    balancer.begin(pick, target.upstream.keyOf(this.request));
    if (target.upstream.sticky !== undefined) {
      this.stickyId = target.upstream.sticky.idOf(this.request);
      this.cookieLine = -1;
    }
    if (rules.nextTries > 0 && pick.tries > rules.nextTries) pick.tries = rules.nextTries;
    this.beganMs = this.now();
    this.connect();
  }

  private connect(): void {
    const { upstream } = this.target as Target;
    const pick = this.pick as Pick;
    const now = this.now();
    this.action = WHILE_CONNECTING;
    this.phase = CONNECTING;
    this.attempt = this.tries.add();
    this.attemptMs = now;
    this.requestSent = false;
    this.bodySent = false;
    this.keepable = false;
    this.paused = false;
    this.forgetHead();
    this.unsent.clear();
    if (upstream.sticky !== undefined) pick.hint = upstream.sticky.hintOf(this.stickyId, upstream.balancer.group);
    if (upstream.balancer.next(pick, now)) {
      this.connectTo(upstream, pick);
      return;
    }
    this.peerName = upstream.name;
    this.endpoint = undefined;
    this.attempt.peer = upstream.name;
    if (upstream.queue?.join(this) === true) this.phase = QUEUED;
    else this.giveUp();
  }

  // ---- in the queue

  takePeer(): boolean {
    const { upstream } = this.target as Target;
    const pick = this.pick as Pick;
    // Peers that it has tried may be tried again: it would wait for nobody else.
    const { tries } = pick;
    upstream.balancer.begin(pick, upstream.keyOf(this.request));
    pick.tries = tries;
    if (upstream.sticky !== undefined) pick.hint = upstream.sticky.hintOf(this.stickyId, upstream.balancer.group);
    return upstream.balancer.next(pick, this.now());
  }

  goOn(): void {
    const now = this.now();
    this.attempt.queueMs = now - this.attemptMs;
    this.attemptMs = now;
    this.phase = CONNECTING;
    this.connectTo((this.target as Target).upstream, this.pick as Pick);
  }

  /** There is no peer, and none is waited for any more. */
  giveUp(): void {
    this.phase = CONNECTING;
    this.log("error", "no live upstreams");
    this.nextPeer(NEXT_NO_LIVE);
  }

  // ---- a peer that was chosen

  private connectTo(upstream: Upstream, pick: Pick): void {
    const { request, rules } = this;
    const peer = pick.peers.at(pick.current);
    if (upstream.sticky !== undefined) {
      this.cookieLine = upstream.sticky.tie(request, pick.peers.sid(pick.current), this.cookieLine);
    }
    const endpoint = upstream.endpointOf(peer);
    this.peerName = peer.name;
    this.endpoint = endpoint;
    this.attempt.peer = peer.name;
    const local = rules.localAddress?.(request);
    const idle = upstream.keepAlive === undefined || rules.tunnels ? undefined : upstream.takeIdle(endpoint, rules);
    this.reused = idle !== undefined;
    if (idle !== undefined) {
      idle.lend(this);
      idle.requests++;
      this.connection = idle;
      this.sendRequest();
      return;
    }
    const { worker } = request.connection;
    this.connection = new PeerConnection(worker, upstream, { endpoint, local, settings: rules.connectSettings }, this);
    this.connection.requests++;
    worker.timers.arm(this, rules.connectTimeoutMs);
    if (request.openSubrequests > 0 && request.parent === undefined) this.composeEarly();
  }

  /** Subrequests that run while we connect share the variables: the head is what they were before. */
  private composeEarly(): void {
    const { request, rules } = this;
    if (rules.tunnels || this.composed !== undefined) return;
    const size = rules.prepare(request, this.uri, this.target as Target);
    if (size < 0) return;
    const output = request.connection.worker.scratchFor(size);
    output.used = 0;
    rules.write(request, output);
    this.composed = output.bytes.slice(0, output.used);
  }

  /** Ends the time with the peer; its connection is kept or closed. */
  private release(outcome: PeerOutcome): void {
    const pick = this.pick as Pick;
    const { upstream } = this.target as Target;
    const { connection } = this;
    if (connection !== undefined) {
      this.connection = undefined;
      if (outcome !== FAILURE && this.mayKeep(connection)) {
        if (this.paused) connection.stream.resumeReading();
        connection.rest(upstream.keepAlive as NonNullable<typeof upstream.keepAlive>, this.rules);
      } else connection.close();
    }
    if (pick.current < 0) return;
    if (outcome === SUCCESS && upstream.sticky?.learnsFromHeader === false) this.learnSession();
    const now = this.now();
    const { attempt } = this;
    if (upstream.balancer.finish(pick, outcome, attempt.headerMs, Math.max(0, now - this.attemptMs), now)) {
      this.log("warn", "upstream server temporarily disabled");
    }
    upstream.queue?.peerIsFree();
  }

  protected learnSession(): void {
    const pick = this.pick as Pick;
    const { sticky } = (this.target as Target).upstream;
    sticky?.learn(this.request, this.stickyId, pick.peers.sid(pick.current));
  }

  private mayKeep(connection: PeerConnection): boolean {
    const { keepAlive } = (this.target as Target).upstream;
    if (keepAlive === undefined || !this.keepable || !this.bodySent || connection.ended) return false;
    // The next request may come within this very call, before the end behind the answer is told.
    if (connection.stream.isEnding) return false;
    if (connection.requests >= keepAlive.requests) return false;
    if (this.now() - connection.startMs > keepAlive.timeMs) return false;
    return !this.request.connection.worker.quiescing;
  }

  /** This peer won't do: the next one, or an error. nginx: ngx_http_upstream_next. */
  protected nextPeer(reason: number): void {
    const { rules, request, attempt } = this;
    const pick = this.pick as Pick;
    if (pick.current >= 0) this.release(reason === NEXT_HTTP_403 || reason === NEXT_HTTP_404 ? NEXT : FAILURE);
    if (reason === NEXT_TIMEOUT) this.log("error", "upstream timed out", ETIMEDOUT);
    if (this.reused && reason === NEXT_ERROR) pick.tries++;
    const status = STATUS_OF.get(reason) ?? 502;
    attempt.status = status;
    const wanted = this.requestSent && isNonIdempotent(request) ? reason | NEXT_NON_IDEMPOTENT : reason;
    if (pick.tries === 0 || (rules.next & wanted) !== wanted || this.isSpent || this.isLate()) {
      if (!this.servesStale(wanted)) this.finalize(status);
      return;
    }
    if (attempt.responseMs === UNKNOWN) attempt.responseMs = this.now() - this.attemptMs;
    this.connect();
  }

  /** A part of the body has been sent and is not kept: the request can't be repeated. */
  protected get isSpent(): boolean {
    return this.requestSent && this.upload !== undefined;
  }

  protected isLate(): boolean {
    const { nextTimeoutMs } = this.rules;
    return nextTimeoutMs > 0 && this.now() - this.beganMs >= nextTimeoutMs;
  }

  // ---- the request

  private sendRequest(): void {
    const { request, rules, attempt } = this;
    attempt.connectMs = this.now() - this.attemptMs;
    this.phase = SENDING;
    this.action = WHILE_SENDING;
    this.requestSent = true;
    if (rules.tunnels) {
      this.onTunnelReady();
      return;
    }
    const { worker } = request.connection;
    const { upload, composed } = this;
    const size = composed?.length ?? rules.prepare(request, this.uri, this.target as Target);
    if (size < 0) {
      this.finalize(500);
      return;
    }
    const framing = rules.protocol?.framing;
    const room = upload === undefined ? MERGED_BODY_BYTES : upload.pendingSize;
    const output = worker.scratchFor(size + room + (framing === undefined ? 0 : framedRoom(framing, request.body)));
    output.used = 0;
    if (composed === undefined) rules.write(request, output);
    else output.copy(composed, 0, composed.length);
    if (upload !== undefined) {
      upload.open(output, (this.connection as PeerConnection).stream);
      return;
    }
    const body = rules.sendsBody ? request.body : undefined;
    if (body === undefined || isShort(body)) {
      if (framing === undefined) body?.copyTo(output);
      else writeFramed(output, framing, body);
      this.sendComposed(output);
      return;
    }
    this.unsent.add(output.memory, 0, output.used);
    if (framing === undefined) this.unsent.addBody(body);
    else this.unsent.addFramed(new FramedBody(body, framing, worker.bodyMemory));
    this.sendMore();
    this.unsent.leave(output.memory, worker.bodyMemory);
  }

  /** What has been composed is all of the request. */
  private sendComposed({ memory, bytes, used }: Output): void {
    const taken = this.sent((this.connection as PeerConnection).stream.write(memory, 0, used, false), "writev()");
    if (taken < 0) return;
    if (taken === used) {
      this.requestDone();
      return;
    }
    const { worker } = this.request.connection;
    const rest = worker.bodyMemory.take(used - taken);
    rest.bytes.set(bytes.subarray(taken, used), 0);
    this.unsent.add(rest, 0, used - taken);
    worker.timers.arm(this, this.rules.sendTimeoutMs);
  }

  private sent(taken: number, call: string): number {
    if (taken >= 0) {
      this.attempt.sentBytes += taken;
      return taken;
    }
    this.sendFailed(call, -taken);
    this.nextPeer(NEXT_ERROR);
    return -1;
  }

  /** nginx asks a connection for its error before it sends the first bytes, and names that after connect(). */
  private sendFailed(call: string, errno: number): void {
    (this.connection as PeerConnection).ended = true;
    const isFirst = this.attempt.sentBytes === 0 && errno !== EPIPE;
    if (isFirst) this.action = WHILE_CONNECTING;
    this.failed(isFirst ? "connect() failed" : `${call} failed`, errno);
  }

  private sendMore(): void {
    const { unsent } = this;
    const { stream } = this.connection as PeerConnection;
    while (!unsent.isEmpty) {
      const { call } = unsent;
      const taken = this.sent(unsent.offerTo(stream), call);
      if (taken < 0) return;
      if (unsent.isEmpty || unsent.isNew || unsent.call !== call) continue;
      this.request.connection.worker.timers.arm(this, this.rules.sendTimeoutMs);
      return;
    }
    this.requestDone();
  }

  // ---- a body that is passed on as it comes

  countSent(sizeBytes: number): void {
    this.attempt.sentBytes += sizeBytes;
  }

  onUploadBlocked(blocked: boolean): void {
    if (this.phase !== SENDING) return;
    if (blocked) this.request.connection.worker.timers.arm(this, this.rules.sendTimeoutMs);
    else this.stopTimer();
  }

  onUploadDone(): void {
    this.requestDone();
  }

  onUploadError(errno: number): void {
    this.sendFailed("writev()", errno);
    if (this.phase === ANSWERING) this.finalize(502);
    else this.nextPeer(NEXT_ERROR);
  }

  onUploadRefused(status: number): void {
    if (this.active) this.finalize(status);
  }

  private requestDone(): void {
    this.bodySent = true;
    if (this.phase !== SENDING) return;
    this.phase = WAITING;
    this.action = WHILE_READING_HEAD;
    this.request.connection.worker.timers.arm(this, this.rules.readTimeoutMs);
  }

  // ---- what the peer's connection tells

  onPeerWritable(): void {
    if (this.phase === CONNECTING) this.sendRequest();
    else if (this.upload !== undefined) this.upload.onWritable();
    else if (this.phase === SENDING) this.sendMore();
  }

  onPeerEnd(): void {
    // While reading is paused this is a first hint only: it comes again behind the last byte.
    if (this.paused) return;
    if (this.phase === ANSWERING && this.endsWithConnection()) {
      this.finalize(OK);
      return;
    }
    if (this.phase === SENDING) this.action = WHILE_READING_HEAD;
    this.log("error", "upstream prematurely closed connection");
    if (this.phase === ANSWERING) this.finalize(502);
    else this.nextPeer(NEXT_ERROR);
  }

  onPeerNoMemory(message: string): void {
    this.request.connection.onNoMemory(message);
  }

  onPeerError(errno: number): void {
    if (this.phase === CONNECTING) {
      const call = this.connection?.stream.refusedCall ?? "";
      if (call !== "") {
        // Our own want, which no other peer can help with.
        const text = callText(call, this.rules.localAddress?.(this.request));
        this.log(call === "bind()" ? "crit" : "alert", `${text} failed`, errno);
        this.finalize(500);
        return;
      }
      const { endpoint } = this;
      const atOnce = (endpoint !== undefined && "path" in endpoint) || AT_ONCE.has(errno);
      const level = PEER_FAILURES.has(errno) ? "error" : errno === ENOENT || atOnce ? "crit" : "alert";
      this.log(level, atOnce ? `connect() to ${this.peerName} failed` : "connect() failed", errno);
      this.nextPeer(NEXT_ERROR);
      return;
    }
    if (this.phase === SENDING) this.action = WHILE_READING_HEAD;
    this.failed("recv() failed", errno);
    if (this.phase === ANSWERING) this.finalize(502);
    else this.nextPeer(NEXT_ERROR);
  }

  private failed(message: string, errno: number): void {
    this.log(PEER_FAILURES.has(errno) ? "error" : "alert", message, errno);
  }

  onTimer(): void {
    if (this.phase !== ANSWERING) {
      this.nextPeer(NEXT_TIMEOUT);
      return;
    }
    this.log("error", "upstream timed out", ETIMEDOUT);
    this.finalize(504);
  }

  /** Leaves the peer and the timer: nothing more will be heard. */
  protected leave(): void {
    const { attempt, phase } = this;
    this.phase = IDLE;
    if (this.upload !== undefined) {
      this.upload.close();
      this.upload = undefined;
    }
    if (phase === RESOLVING) {
      this.lookup?.cancel();
      this.lookup = undefined;
      return;
    }
    this.stopTimer();
    if (phase === LOCKED) return;
    if (phase === QUEUED) (this.target as Target).upstream.queue?.leave(this);
    if (attempt.responseMs === UNKNOWN) attempt.responseMs = this.now() - this.attemptMs;
    this.unsent.clear();
    this.composed = undefined;
    this.release(SUCCESS);
  }
}

/** Repeating it may do something twice. */
export function isNonIdempotent({ method }: Request): boolean {
  return method === POST || method === LOCK || method === PATCH;
}
