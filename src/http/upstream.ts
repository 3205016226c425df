/**
 * An exchange with an upstream: the answer's head is read, judged and made ours, its body passes through, and the engine is
 * told how it has ended. The way to the peer is upstream-peer.ts. Counterpart in nginx: ngx_http_upstream.c.
 *
 * One object per request object, used again and again: a request that goes well allocates next to nothing (`npm run bench`).
 */
import type { Pick } from "../balance/pick.ts";
import { type Bytes, concatBytes, latin1 } from "../base/bytes.ts";
import type { Memory } from "../io/memory.ts";
import { UPGRADE } from "../wire/http1/fields.ts";
import { GET, HEAD } from "../wire/http1/methods.ts";
import {
  HEAD_INCOMPLETE,
  HEAD_INVALID_LINE,
  HEAD_NO_STATUS,
  ResponseHead,
  WWW_AUTHENTICATE_FIELD,
} from "../wire/http1/response-head.ts";
import { LAST } from "./body.ts";
import { type BodyTaker, readRequestBody } from "./body-buffer.ts";
import { internalRedirect, namedLocation, sendBody, sendHeader, splitUri, testExpect } from "./engine.ts";
import { CLIENT_CLOSED, DECLINED, DONE, ERROR, OK } from "./outcome.ts";
import type { PeerConnection } from "./peer-connection.ts";
import type { Request } from "./request.ts";
import { Upload } from "./upload.ts";
import { AnswerFacts, accelRedirect, fillAnswer, fillRedirected, readFacts } from "./upstream-answer.ts";
import { AnswerBody, BODY_EXCESS, BODY_FAILED, BODY_INVALID, BODY_MORE, type Piece } from "./upstream-body.ts";
import { ANSWERING, isNonIdempotent, PeerSide, TUNNELLING, WHILE_READING_HEAD } from "./upstream-peer.ts";
import {
  NamedDestination,
  NEXT_BY_STATUS,
  NEXT_INVALID_HEADER,
  NEXT_NON_IDEMPOTENT,
  type Target,
  type UpstreamRules,
} from "./upstream-rules.ts";
import { Upgrade } from "./upstream-upgrade.ts";

const WHILE_READING = "while reading upstream";
const WHILE_ANSWERING = "while sending to client";
const WHILE_TUNNELLING = "while proxying upgraded connection";

const SWITCHING_PROTOCOLS = 101;
const EARLY_HINTS = 103;
const NO_CONTENT = 204;
const NOT_MODIFIED = 304;
const FIRST_HEAD_BYTES = 1024;
const NOTHING: Piece = { memory: undefined, bytes: new Uint8Array(0), start: 0, end: 0 };

/** What a request has with an upstream. */
export class Exchange extends PeerSide implements BodyTaker {
  /** `start` is running: the outcome is returned instead of told. */
  private starting = false;
  private outcome = DONE;
  private readonly head = new ResponseHead();
  private headRead = false;
  private headBytes: Bytes = new Uint8Array(0);
  /** Bytes of an incomplete head in `headBytes`. */
  private kept = 0;
  private readonly facts = new AnswerFacts();
  private readonly body = new AnswerBody();
  private upgrade: Upgrade | undefined = undefined;

  /** The last head that an upstream has answered with. */
  get answeredHead(): ResponseHead | undefined {
    return this.headRead ? this.head : undefined;
  }

  /** Reads the request's body, then begins. DONE, or what came of it at once. */
  run(rules: UpstreamRules): number {
    const { request } = this;
    this.rules = rules;
    if (request.parent !== undefined || (request.contentLength <= 0 && !request.chunkedBody)) return this.start(rules);
    if (rules.streamsBody(request) && !request.bodyDiscarded) return this.stream(rules);
    this.starting = true;
    this.outcome = DONE;
    readRequestBody(request, this);
    this.starting = false;
    return this.outcome;
  }

  /** Begins before the body is there. */
  private stream(rules: UpstreamRules): number {
    const { request } = this;
    testExpect(request);
    const upload = new Upload(request, this);
    this.upload = upload;
    const refused = upload.begin();
    request.body = refused === 0 ? upload.takeWhole() : undefined;
    if (request.body !== undefined) {
      this.upload = undefined;
      return this.start(rules);
    }
    const rc = refused === 0 ? this.start(rules) : refused;
    if (rc !== DONE) {
      upload.close();
      this.upload = undefined;
    }
    return rc;
  }

  onBody(request: Request, status: number): void {
    const { starting } = this;
    const rc = status === 0 ? this.start(this.rules) : status;
    this.starting = starting;
    if (starting) this.outcome = rc;
    else if (rc !== DONE) request.connection.resume(request, rc);
  }

  /** Begins; the request and its body are there. */
  private start(rules: UpstreamRules): number {
    const { request } = this;
    this.peerName = "";
    this.headRead = false;
    const target = rules.target(request);
    if (typeof target === "number") return target;
    this.destination = target;
    const uri = rules.uriOf(request, target);
    if (uri === undefined) {
      request.connection.logError("error", "zero length URI to proxy");
      return 500;
    }
    this.uri = uri;
    this.starting = true;
    this.outcome = DONE;
    if (target instanceof NamedDestination) this.resolve(target);
    else this.approach(target);
    this.starting = false;
    return this.outcome;
  }

  /** The request is over for good: what was kept for its log line goes. */
  forget(): void {
    this.body.release();
    this.tries.clear();
    this.headRead = false;
    this.peerName = "";
    this.action = undefined;
    this.destination = undefined;
    this.target = undefined;
  }

  protected forgetHead(): void {
    this.kept = 0;
    this.headRead = false;
  }

  protected endsWithConnection(): boolean {
    return this.body.endsWithConnection;
  }

  /** The client's connection has ended. */
  abort(): void {
    if (!this.active) return;
    this.keepable = false;
    this.leave();
  }

  // ---- what the peer's connection tells

  onPeerData(memory: Memory, start: number, end: number): void {
    this.attempt.receivedBytes += end - start;
    const piece = { memory, bytes: memory.bytes, start, end };
    if (this.phase === ANSWERING) this.readBody(piece);
    else this.readHead(piece);
    // These bytes are lent. An answer that came whole has been given by now, and nobody needs its head any more.
    if (this.headRead && this.head.bytes === memory.bytes) this.ownHead();
  }

  /** Takes the head into memory of its own. */
  private ownHead(): void {
    const { head } = this;
    if (this.headBytes.length < head.scanned) this.headBytes = new Uint8Array(Math.max(FIRST_HEAD_BYTES, head.scanned));
    head.moveTo(this.headBytes);
  }

  // ---- the head of the answer

  private readHead(piece: Piece): void {
    const { head, rules } = this;
    this.action = WHILE_READING_HEAD;
    let limit: number;
    let rest = piece.end;
    if (this.kept === 0) {
      head.begin(piece.bytes, piece.start);
      limit = Math.min(piece.end, piece.start + rules.bufferSize);
    } else {
      const size = Math.min(piece.end - piece.start, rules.bufferSize - this.kept);
      this.headBytes.set(piece.bytes.subarray(piece.start, piece.start + size), this.kept);
      this.kept += size;
      limit = this.kept;
      rest = piece.start + size;
    }
    const result = head.parse(limit);
    if (result === HEAD_INCOMPLETE) {
      this.keepHead(piece, limit);
      return;
    }
    if (result === HEAD_INVALID_LINE) {
      const bad = head.bytes[head.base + head.errorEnd] ?? 0;
      const line = latin1(head.bytes, head.base + head.errorStart, head.base + head.errorEnd);
      this.log("error", `upstream sent invalid header: "${line}\\x${bad.toString(16).padStart(2, "0")}..."`);
      this.nextPeer(NEXT_INVALID_HEADER);
      return;
    }
    const bodyStart = result === HEAD_NO_STATUS ? head.base : head.base + head.scanned;
    let following: Piece;
    if (this.kept === 0) following = { memory: piece.memory, bytes: piece.bytes, start: bodyStart, end: piece.end };
    else {
      const bytes = concatBytes([this.headBytes.subarray(bodyStart, limit), piece.bytes.subarray(rest, piece.end)]);
      following = { memory: undefined, bytes, start: 0, end: bytes.length };
    }
    if (result === HEAD_NO_STATUS) this.answerWithoutHead(following);
    else if (head.status === EARLY_HINTS) this.skipHints(following);
    else this.answer(following);
  }

  /** A part of a head has come; it stays until the rest is there. */
  private keepHead(piece: Piece, limit: number): void {
    const { rules, head } = this;
    const length = this.kept === 0 ? limit - piece.start : this.kept;
    if (length >= rules.bufferSize) {
      this.log("error", "upstream sent too big header");
      this.nextPeer(NEXT_INVALID_HEADER);
      return;
    }
    if (this.kept > 0) return;
    if (this.headBytes.length < rules.bufferSize) this.headBytes = new Uint8Array(rules.bufferSize);
    this.headBytes.set(piece.bytes.subarray(piece.start, limit), 0);
    head.bytes = this.headBytes;
    head.base = 0;
    this.kept = length;
  }

  /** 103: the answer itself follows. Clients are not told of hints. */
  private skipHints(following: Piece): void {
    if (this.head.version < 1001) {
      this.log("error", "upstream sent HTTP/1.0 response with early hints");
      this.nextPeer(NEXT_INVALID_HEADER);
      return;
    }
    this.kept = 0;
    if (following.start < following.end) this.readHead(following);
  }

  /** Something that is no HTTP/1: passed as it is, as an answer of HTTP/0.9. */
  private answerWithoutHead(following: Piece): void {
    const { request } = this;
    this.log("error", "upstream sent no valid HTTP/1.0 header");
    this.attempt.status = 200;
    this.attempt.headerMs = this.now() - this.attemptMs;
    this.facts.reset();
    this.facts.connectionClose = true;
    request.version = 9;
    request.keepAlive = false;
    // Bytes that nobody asked for would be read as the answer to something else.
    request.headerOnly = this.rules.isHead(request);
    this.sendAnswer(following);
  }

  private answer(following: Piece): void {
    const { head, request, attempt, facts, rules } = this;
    this.headRead = true;
    attempt.status = head.status;
    if (!readFacts(request, head, facts)) {
      this.nextPeer(NEXT_INVALID_HEADER);
      return;
    }
    const { status } = head;
    const now = this.now();
    attempt.headerMs = now - this.attemptMs;
    const bodiless = status === NO_CONTENT || status === NOT_MODIFIED || rules.isHead(request);
    if (bodiless || (!facts.chunked && facts.contentLength === 0)) {
      this.keepable = !facts.connectionClose && following.start === following.end;
    }
    if (status >= 300 && (this.tryAnother(status) || this.intercept(status))) return;
    const { upstream } = this.target as Target;
    if (upstream.sticky?.learnsFromHeader === true) this.learnSession();
    upstream.balancer.gotHeader(this.pick as Pick, attempt.headerMs, now);
    const redirect = accelRedirect(head, facts, rules);
    if (redirect !== undefined) {
      this.redirect(redirect);
      return;
    }
    fillAnswer(request, head, facts, rules);
    if (status === SWITCHING_PROTOCOLS && request.head.known[UPGRADE] !== -1) this.openTunnel(following);
    else this.sendAnswer(following, bodiless);
  }

  /** True when this answer is a reason to ask the next peer, which has been done. */
  private tryAnother(status: number): boolean {
    const reason = NEXT_BY_STATUS.get(status);
    if (reason === undefined) return false;
    const wanted = this.requestSent && isNonIdempotent(this.request) ? reason | NEXT_NON_IDEMPOTENT : reason;
    if ((this.pick as Pick).tries <= 1 || (this.rules.next & wanted) !== wanted) return false;
    if (this.isSpent || this.isLate()) return false;
    this.nextPeer(reason);
    return true;
  }

  /** True when an `error_page` of ours answers instead. */
  private intercept(status: number): boolean {
    const { request, head, rules } = this;
    if (!rules.interceptErrors || request.location.errorPages?.has(status) !== true) return false;
    if (status === 401) {
      for (let index = 0; index < head.fieldCount; index++) {
        if (head.field(index) === WWW_AUTHENTICATE_FIELD) request.addHeader(head.name(index), head.value(index));
      }
    }
    this.finalize(status);
    return true;
  }

  /** X-Accel-Redirect: our own answer to another URI takes the place of this one. */
  private redirect(target: string): void {
    const { request } = this;
    this.leave();
    fillRedirected(request, this.head, this.facts, this.rules);
    if (target.startsWith("@")) {
      this.settle(namedLocation(request, target));
      return;
    }
    const parts = splitUri(target);
    if (parts === undefined) {
      this.log("error", `unsafe URI "${target}" was detected`);
      this.settle(404);
      return;
    }
    if (request.method !== HEAD) {
      request.method = GET;
      request.changedMethod = "GET";
    }
    this.settle(internalRedirect(request, parts.uri, parts.args));
  }

  // ---- the answer to the client

  private sendAnswer(following: Piece, bodiless = false): void {
    const { request, facts, rules, body } = this;
    const { connection } = request;
    const buffered = facts.buffering < 0 ? rules.buffering : facts.buffering === 1;
    if (!buffered) request.limitRate = 0;
    this.action = WHILE_ANSWERING;
    const rc = sendHeader(request);
    if (!this.active) return;
    if (rc !== OK) {
      this.finalize(rc);
      return;
    }
    if (request.headerOnly) {
      this.finalize(OK);
      return;
    }
    this.phase = ANSWERING;
    this.action = WHILE_READING;
    body.begin(bodiless ? 0 : facts.contentLength, facts.chunked && !bodiless, buffered);
    if (following.start < following.end) {
      this.readBody(following);
      return;
    }
    if (body.whole) {
      this.keepable = !facts.connectionClose;
      this.finalize(OK);
      return;
    }
    connection.worker.timers.arm(this, rules.readTimeoutMs);
    connection.flush();
  }

  private readBody(piece: Piece): void {
    const { body, request, rules, attempt } = this;
    const { connection } = request;
    attempt.bodyBytes += piece.end - piece.start;
    const { chunked } = body;
    const result = body.consume(request, rules, piece);
    if (!this.active) return;
    if (result !== BODY_MORE) {
      this.endBody(result, chunked);
      return;
    }
    connection.flush();
    if (!this.active) return;
    if (body.full && !this.paused) {
      this.paused = true;
      this.stopTimer();
      this.connection?.stream.pauseReading();
    } else if (!this.paused) connection.worker.timers.arm(this, rules.readTimeoutMs);
  }

  private endBody(result: number, chunked: boolean): void {
    if (result === BODY_INVALID || result === BODY_FAILED) {
      if (result === BODY_INVALID) this.log("error", "upstream sent invalid chunked response");
      this.finalize(ERROR);
      return;
    }
    this.keepable = !this.facts.connectionClose;
    if (result === BODY_EXCESS) {
      const what = chunked ? "data after final chunk" : 'more data than specified in "Content-Length" header';
      this.log("warn", `upstream sent ${what}`);
      this.keepable = false;
    }
    this.finalize(OK);
  }

  /** The client has taken everything that was waiting for it. */
  onClientDrained(): void {
    if (this.phase !== ANSWERING) return;
    this.body.drained();
    if (!this.paused) return;
    this.paused = false;
    this.request.connection.worker.timers.arm(this, this.rules.readTimeoutMs);
    this.connection?.stream.resumeReading();
  }

  // ---- a tunnel

  protected onTunnelReady(): void {
    const { request, attempt } = this;
    const now = this.now();
    attempt.status = 200;
    attempt.headerMs = now - this.attemptMs;
    (this.target as Target).upstream.balancer.gotHeader(this.pick as Pick, attempt.headerMs, now);
    request.status = 200;
    request.skipConditions = true;
    request.keepAlive = false;
    this.openTunnel(NOTHING);
  }

  /** The answer's head is the last of HTTP here. */
  private openTunnel(following: Piece): void {
    const { request, rules } = this;
    this.keepable = false;
    request.limitRate = 0;
    this.action = WHILE_ANSWERING;
    const rc = sendHeader(request);
    if (!this.active) return;
    if (rc !== OK) {
      this.finalize(rc);
      return;
    }
    if (request.parent !== undefined) {
      this.log("error", "connection upgrade in subrequest");
      this.finalize(ERROR);
      return;
    }
    request.keepAlive = false;
    this.phase = TUNNELLING;
    this.action = WHILE_TUNNELLING;
    this.stopTimer();
    const { stream } = this.connection as PeerConnection;
    this.upgrade = new Upgrade(request, this.attempt, (outcome) => this.finalize(outcome));
    this.upgrade.open(stream, following, rules);
  }

  protected override leave(): void {
    if (this.upgrade !== undefined) {
      this.upgrade.close();
      this.upgrade = undefined;
    }
    super.leave();
  }

  // ---- the end

  /** nginx: ngx_http_upstream_finalize_request. OK, ERROR or a status. */
  protected finalize(rc: number): void {
    const { request } = this;
    this.leave();
    this.action = WHILE_ANSWERING;
    if (!request.headerSent || rc === 408 || rc === CLIENT_CLOSED) {
      this.settle(rc === DECLINED ? ERROR : rc);
      return;
    }
    if (rc !== OK) {
      // What there is of the answer goes out, and the end of the connection tells the client that it is not all.
      if (request.parent !== undefined) {
        // The main request has an answer of its own: it goes on without the rest.
        this.settle(OK);
        return;
      }
      request.keepAlive = false;
      request.connection.flush();
      this.settle(ERROR);
      return;
    }
    if (request.chain !== undefined) sendBody(request, [], LAST);
    this.settle(rc);
  }

  /** The engine goes on. Nothing of this object may be used behind it: the request may already be another one. */
  private settle(rc: number): void {
    if (this.starting) this.outcome = rc;
    else this.request.connection.resume(this.request, rc);
  }
}
