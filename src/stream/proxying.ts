/**
 * A session that is passed on to a peer: chooses one, connects, goes on to the next when that fails, and opens a tunnel. Counterpart
 * in nginx: ngx_stream_proxy_module.c.
 *
 * | phase      | means                                         | timer                 |
 * |------------|-----------------------------------------------|-----------------------|
 * | idle       | it has not begun, or it is over               | none                  |
 * | resolving  | the addresses of its host are asked for       | the resolver's        |
 * | connecting | a connection is on its way                    | proxy_connect_timeout |
 * | passing    | a tunnel has both streams                     | proxy_timeout         |
 */
import { Pick } from "../balance/pick.ts";
import { FAILURE, type PeerOutcome, SUCCESS } from "../balance/round_robin.ts";
import { type Bytes, concatBytes } from "../base/bytes.ts";
import type { IpAddress } from "../base/ip.ts";
import { printEndpoint } from "../io/listen.ts";
import type { ConnectSettings } from "../io/reactor.ts";
import type { Endpoint, Stream, StreamOwner } from "../io/stream.ts";
import type { BalancedGroup } from "../net/balanced-group.ts";
import { AT_ONCE, callText, ENOENT, ETIMEDOUT, PEER_FAILURES } from "../net/peer-failures.ts";
import { type Lookup, type Resolution, type ResolverSettings, resolverCodeText } from "../net/resolver.ts";
import { Timed } from "../net/timers.ts";
import { CLIENT_TIMED_OUT, PASSED, Tunnel, type TunnelUser, UPSTREAM_TIMED_OUT } from "../net/tunnel.ts";
import type { UpstreamAddress } from "../net/upstream-address.ts";
import { Tries, type Try, UNKNOWN } from "../net/upstream-try.ts";
import { type EncodedEnd, encodeProxyV1, encodeProxyV2 } from "../wire/proxy-protocol/encode.ts";
import { transferOf } from "./error-context.ts";
import { BAD_GATEWAY, FINISHED, INTERNAL_SERVER_ERROR } from "./outcome.ts";
import type { Content, Session } from "./session.ts";

/** What a session is passed on by; built once for a server. */
export interface ProxyRules {
  /** Where to; undefined when that can't be told: the reason has been logged. */
  target(session: Session): BalancedGroup<Session> | UpstreamAddress | undefined;
  readonly resolver: ResolverSettings | undefined;
  readonly resolverTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly timeoutMs: number;
  readonly next: boolean;
  /** 0: as many as there are peers. */
  readonly nextTries: number;
  /** 0: no limit. */
  readonly nextTimeoutMs: number;
  readonly halfClose: boolean;
  /** The version of the PROXY protocol header that goes ahead; 0: none. */
  readonly proxyProtocol: 0 | 1 | 2;
  /** Bytes per second, 0 for any. */
  uploadRate(session: Session): number;
  downloadRate(session: Session): number;
  readonly localAddress: ((session: Session) => Endpoint | undefined) | undefined;
  readonly connectSettings: ConnectSettings | undefined;
  readonly noDelay: boolean;
  /** Groups whose balancing goes by the time of the connection (`least_time connect`). */
  readonly timesConnection: WeakSet<BalancedGroup<Session>>;
}

const IDLE = 0;
const RESOLVING = 1;
const CONNECTING = 2;
const PASSING = 3;

export class Proxying extends Timed implements Content, StreamOwner, TunnelUser {
  readonly tries = new Tries();
  /** Of the peer that it is with or has last been with; the upstream's own when there was none to be had. */
  peerName = "";
  /** Bytes from and to that peer. */
  receivedBytes = 0;
  sentBytes = 0;
  private readonly session: Session;
  private readonly rules: ProxyRules;
  private phase = IDLE;
  private group: BalancedGroup<Session> | undefined = undefined;
  private pick: Pick | undefined = undefined;
  private endpoint: Endpoint | undefined = undefined;
  private attempt: Try | undefined = undefined;
  private attemptMs = 0;
  private beganMs = 0;
  private peer: Stream | undefined = undefined;
  private tunnel: Tunnel | undefined = undefined;
  private lookup: Lookup | undefined = undefined;

  constructor(session: Session, rules: ProxyRules) {
    super();
    this.session = session;
    this.rules = rules;
  }

  private now(): number {
    return this.session.worker.clock.now();
  }

  start(): void {
    const { session, rules } = this;
    session.lendTo(this);
    const target = rules.target(session);
    if (target === undefined) session.finish(INTERNAL_SERVER_ERROR);
    else if ("balancer" in target) this.approach(target);
    else this.resolve(target);
  }

  // ---- a peer

  private resolve(address: UpstreamAddress): void {
    const { session, rules } = this;
    const { resolver } = rules;
    const { host } = address;
    if (resolver === undefined) {
      session.logError("error", `no resolver defined to resolve ${host}`);
      session.finish(INTERNAL_SERVER_ERROR);
      return;
    }
    this.phase = RESOLVING;
    const lookup = session.worker.resolvers
      .of(resolver)
      .resolveName(host, rules.resolverTimeoutMs, (result) => this.onResolved(address, result));
    if (this.phase === RESOLVING) this.lookup = lookup;
  }

  private onResolved(address: UpstreamAddress, result: Resolution<readonly IpAddress[]>): void {
    const { session } = this;
    this.lookup = undefined;
    this.phase = IDLE;
    if (result.ok) {
      this.approach(session.worker.upstreams.resolved(address, result.value));
      return;
    }
    const name = address.host.replace(/\.$/, "");
    session.logError("error", `${name} could not be resolved (${result.code}: ${resolverCodeText(result.code)})`);
    session.finish(INTERNAL_SERVER_ERROR);
  }

  private approach(group: BalancedGroup<Session>): void {
    const { rules, session } = this;
    const { balancer } = group;
    this.group = group;
    const pick = new Pick(balancer.group);
    this.pick = pick;
    balancer.begin(pick, group.keyOf(session));
    if (rules.nextTries > 0 && pick.tries > rules.nextTries) pick.tries = rules.nextTries;
    this.beganMs = this.now();
    this.connect();
  }

  private connect(): void {
    const { rules, session } = this;
    const group = this.group as BalancedGroup<Session>;
    const pick = this.pick as Pick;
    const now = this.now();
    session.action = "connecting to upstream";
    if (this.attempt?.responseMs === UNKNOWN) this.attempt.responseMs = now - this.attemptMs;
    const attempt = this.tries.add();
    this.attempt = attempt;
    this.attemptMs = now;
    this.receivedBytes = 0;
    this.sentBytes = 0;
    if (!group.balancer.next(pick, now)) {
      this.peerName = group.name;
      attempt.peer = group.name;
      session.logError("error", "no live upstreams");
      session.finish(BAD_GATEWAY);
      return;
    }
    const peer = pick.peers.at(pick.current);
    const endpoint = group.endpointOf(peer);
    this.peerName = peer.name;
    attempt.peer = peer.name;
    this.endpoint = endpoint;
    this.phase = CONNECTING;
    const { ports, timers } = session.worker;
    // Nobody sees it, but it is one of those that `$connection` counts.
    ports.counters.nextConnection();
    timers.arm(this, rules.connectTimeoutMs);
    this.peer = ports.reactor.connect(endpoint, rules.localAddress?.(session), this, rules.connectSettings);
  }

  /** This peer won't do: the next one, or the end. nginx: ngx_stream_proxy_next_upstream. */
  private nextPeer(): void {
    const { rules, session } = this;
    const pick = this.pick as Pick;
    this.leavePeer(FAILURE);
    const isLate = rules.nextTimeoutMs > 0 && this.now() - this.beganMs >= rules.nextTimeoutMs;
    if (pick.tries === 0 || !rules.next || isLate) session.finish(BAD_GATEWAY);
    else this.connect();
  }

  /** Ends the time with the peer. */
  private leavePeer(outcome: PeerOutcome): void {
    const { attempt, pick, group, session } = this;
    session.worker.timers.discard(this);
    this.phase = IDLE;
    this.peer?.close();
    this.peer = undefined;
    if (attempt === undefined || pick === undefined || group === undefined || pick.current < 0) return;
    const now = this.now();
    const tookMs = Math.max(0, now - this.attemptMs);
    attempt.receivedBytes = this.receivedBytes;
    attempt.sentBytes = this.sentBytes;
    const timeMs = this.rules.timesConnection.has(group) ? attempt.connectMs : attempt.headerMs;
    if (group.balancer.finish(pick, outcome, timeMs, tookMs, now))
      session.logError("warn", "upstream server temporarily disabled");
  }

  // ---- the peer's socket, until a tunnel has it

  onWritable(): void {
    if (this.phase === CONNECTING) this.connected();
  }

  /** Before the peer is connected nothing comes. */
  onData(): void {}

  onEnd(): void {}

  onError(errno: number): void {
    const { session, rules, endpoint } = this;
    if (this.phase !== CONNECTING) return;
    const call = this.peer?.refusedCall ?? "";
    if (call !== "") {
      // Our own want, which no other peer can help with.
      const text = callText(call, rules.localAddress?.(session));
      session.logError(call === "bind()" ? "crit" : "alert", `${text} failed`, errno);
      session.finish(INTERNAL_SERVER_ERROR);
      return;
    }
    const atOnce = (endpoint !== undefined && "path" in endpoint) || AT_ONCE.has(errno);
    const level = PEER_FAILURES.has(errno) ? "error" : errno === ENOENT || atOnce ? "crit" : "alert";
    session.logError(level, atOnce ? `connect() to ${this.peerName} failed` : "connect() failed", errno);
    this.nextPeer();
  }

  onTimer(): void {
    this.session.logError("error", "upstream timed out", ETIMEDOUT);
    this.nextPeer();
  }

  // ---- connected

  private connected(): void {
    const { session, rules } = this;
    const attempt = this.attempt as Try;
    const peer = this.peer as Stream;
    const group = this.group as BalancedGroup<Session>;
    const { worker } = session;
    this.phase = PASSING;
    worker.timers.discard(this);
    if (rules.noDelay) peer.setNoDelay(true);
    if (session.server.log.enabled("info"))
      session.logPlain("info", `proxy ${printEndpoint(peer.local)} connected to ${this.peerName}`);
    const now = this.now();
    attempt.connectMs = now - this.attemptMs;
    group.balancer.connected(this.pick as Pick, now);
    if (rules.timesConnection.has(group)) group.balancer.gotHeader(this.pick as Pick, attempt.connectMs, now);
    const toPeer = this.firstBytes();
    const { timeoutMs } = rules;
    const tunnelRules = {
      readMs: timeoutMs,
      sendMs: timeoutMs,
      clientMs: timeoutMs,
      halfClose: rules.halfClose,
      uploadRate: rules.uploadRate(session),
      downloadRate: rules.downloadRate(session),
    };
    session.action = "proxying connection";
    this.tunnel = new Tunnel(worker, { client: session.stream, peer }, tunnelRules, this);
    this.tunnel.open({ toClient: undefined, toPeer, clientEnded: false });
  }

  /** What goes to the peer ahead of all that will come: a PROXY protocol header, and what the client has sent already. */
  private firstBytes(): Bytes | undefined {
    const { session, rules } = this;
    const { preread } = session;
    session.receivedBytes += preread.length;
    session.preread = NOTHING;
    if (rules.proxyProtocol === 0) return preread.length === 0 ? undefined : preread;
    const encode = rules.proxyProtocol === 1 ? encodeProxyV1 : encodeProxyV2;
    const header = encode(encodedEnd(session.remote), encodedEnd(session.stream.local));
    return preread.length === 0 ? header : concatBytes([header, preread]);
  }

  // ---- the tunnel

  countFromClient(sizeBytes: number): void {
    this.session.receivedBytes += sizeBytes;
  }

  countReceived(sizeBytes: number): void {
    const attempt = this.attempt as Try;
    this.receivedBytes += sizeBytes;
    if (attempt.headerMs === UNKNOWN) this.firstByte(attempt);
  }

  private firstByte(attempt: Try): void {
    const now = this.now();
    const group = this.group as BalancedGroup<Session>;
    attempt.headerMs = now - this.attemptMs;
    if (!this.rules.timesConnection.has(group)) group.balancer.gotHeader(this.pick as Pick, attempt.headerMs, now);
  }

  countSent(sizeBytes: number): void {
    this.sentBytes += sizeBytes;
  }

  countToClient(sizeBytes: number): void {
    this.session.sentBytes += sizeBytes;
  }

  onTunnelError(call: "recv()" | "send()", errno: number, isClient: boolean): void {
    const { session } = this;
    const isReading = call === "recv()";
    session.action = `proxying and ${isReading ? "reading from" : "sending to"} ${isClient ? "client" : "upstream"}`;
    const level = PEER_FAILURES.has(errno) ? (isClient ? "info" : "error") : "alert";
    session.logError(level, `${call} failed`, errno);
    session.action = "proxying connection";
  }

  onNoMemory(message: string): void {
    this.session.onNoMemory(message);
  }

  onTunnelEnd(outcome: number, isClients: boolean): void {
    const { session } = this;
    if (outcome === PASSED)
      session.logPlain("info", `${isClients ? "client" : "upstream"} disconnected, ${transferOf(session)}`);
    else if (outcome === CLIENT_TIMED_OUT || outcome === UPSTREAM_TIMED_OUT)
      session.logError("info", "connection timed out", ETIMEDOUT);
    session.finish(FINISHED);
  }

  /** The session ends: whatever goes on here ends too. */
  close(): void {
    this.lookup?.cancel();
    this.lookup = undefined;
    this.tunnel?.close();
    this.tunnel = undefined;
    if (this.attempt?.responseMs === UNKNOWN) this.attempt.responseMs = this.now() - this.attemptMs;
    this.leavePeer(SUCCESS);
  }
}

const NOTHING: Bytes = new Uint8Array(0);

function encodedEnd(endpoint: Endpoint): EncodedEnd {
  return "ip" in endpoint ? endpoint : undefined;
}
