/**
 * An exchange with an upstream: the answer's head is read, judged and made ours, its body passes through, and the engine is
 * told how it has ended. The way to the peer is upstream-peer.ts, the body upstream-delivery.ts. Counterpart in nginx: ngx_http_upstream.c.
 *
 * One object per request object, used again and again: a request that goes well allocates next to nothing (`npm run bench`).
 */
import type { Pick } from "../balance/pick.ts";
import { type Bytes, concatBytes, latin1 } from "../base/bytes.ts";
import type { Memory } from "../io/memory.ts";
import { EXPECT, UPGRADE } from "../wire/http1/fields.ts";
import { GET, HEAD } from "../wire/http1/methods.ts";
import {
  HEAD_INCOMPLETE,
  HEAD_INVALID_LINE,
  HEAD_NO_STATUS,
  type ResponseHead,
  WWW_AUTHENTICATE_FIELD,
} from "../wire/http1/response-head.ts";
import { SENDING_TO_CLIENT } from "./actions.ts";
import { LAST } from "./body.ts";
import { type BodyTaker, readRequestBody } from "./body-buffer.ts";
import { passEarlyHints } from "./early-hints.ts";
import { internalRedirect, namedLocation, sendBody, splitUri, testExpect } from "./engine.ts";
import { CLIENT_CLOSED, DECLINED, DONE, ERROR, OK } from "./outcome.ts";
import type { Request } from "./request.ts";
import { Upload } from "./upload.ts";
import { accelRedirect, fillAnswer, fillRedirected, readFacts } from "./upstream-answer.ts";
import type { Piece } from "./upstream-body.ts";
import { CacheSide } from "./upstream-cache.ts";
import { SWITCHING_PROTOCOLS } from "./upstream-delivery.ts";
import { ANSWERING, isNonIdempotent, WHILE_READING_HEAD } from "./upstream-peer.ts";
import { type AnswerReader, READ_DONE, READ_FAILED, type ReaderUser } from "./upstream-protocol.ts";
import {
  NamedDestination,
  NEXT_BY_STATUS,
  NEXT_INVALID_HEADER,
  NEXT_NON_IDEMPOTENT,
  type Target,
  type UpstreamRules,
} from "./upstream-rules.ts";
import type { AnswerTrailers } from "./upstream-trailers.ts";

const EARLY_HINTS = 103;
const NO_CONTENT = 204;
const NOT_MODIFIED = 304;
const FIRST_HEAD_BYTES = 1024;

/** What a request has with an upstream. */
export class Exchange extends CacheSide implements BodyTaker, ReaderUser {
  /** `start` is running: the outcome is returned instead of told. */
  private starting = false;
  private outcome = DONE;
  private headBytes: Bytes = new Uint8Array(0);
  /** Bytes of an incomplete head in `headBytes`. */
  private kept = 0;
  /** Bytes of 103 heads that came ahead of the answer's. */
  private hintBytes = 0;

  /** The last head that an upstream has answered with. */
  get answeredHead(): ResponseHead | undefined {
    return this.headRead ? this.head : undefined;
  }

  get answeredTrailers(): AnswerTrailers | undefined {
    return this.body.trailers;
  }

  /** Reads the request's body, then begins. DONE, or what came of it at once. */
  run(rules: UpstreamRules): number {
    const { request } = this;
    this.rules = rules;
    this.reader = rules.protocol?.reader(this);
    if (this.cache !== undefined) this.forgetCache();
    if (request.parent !== undefined || (request.contentLength < 0 && !request.chunkedBody)) {
      // Whoever expects a go-ahead gets it, even for no body.
      if (request.parent === undefined && request.head.known[EXPECT] !== -1) testExpect(request);
      return this.start(rules);
    }
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
    upload.framing = rules.protocol?.framing;
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
    if (rules.cache !== undefined) {
      const rc = this.consult(rules.cache);
      if (rc !== DECLINED) return rc;
    }
    return this.ask();
  }

  /** Gives the request to the upstream. */
  protected override ask(): number {
    const target = this.destination as NamedDestination | Target;
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
    this.reader = undefined;
    if (this.cache !== undefined) this.forgetCache();
    this.tries.clear();
    this.headRead = false;
    this.peerName = "";
    this.action = undefined;
    this.destination = undefined;
    this.target = undefined;
  }

  private forgetCache(): void {
    this.cache?.release();
    this.cache = undefined;
  }

  /** Bytes that an answer's head may have: a cache's key stands in front of it in the same buffer. */
  private get headRoom(): number {
    return this.cache === undefined ? this.rules.bufferSize : this.rules.bufferSize - this.cache.headerStart;
  }

  protected forgetHead(): void {
    this.kept = 0;
    this.hintBytes = 0;
    this.headRead = false;
    this.reader?.begin();
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
    if (this.phase === ANSWERING) this.takeBody(piece);
    else if (this.reader !== undefined) this.readOtherHead(this.reader, piece);
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
    const { head, headRoom } = this;
    this.action = WHILE_READING_HEAD;
    let limit: number;
    let rest = piece.end;
    if (this.kept === 0) {
      head.begin(piece.bytes, piece.start);
      limit = Math.min(piece.end, piece.start + headRoom);
    } else {
      const size = Math.min(piece.end - piece.start, headRoom - this.kept);
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
    else if (head.status === EARLY_HINTS) this.takeHints(following);
    else this.answer(following);
  }

  /** The same where the upstream speaks something else than HTTP/1. */
  private readOtherHead(reader: AnswerReader, piece: Piece): void {
    this.action = WHILE_READING_HEAD;
    const result = reader.readHead(piece.bytes, piece.start, piece.end, this.headRoom);
    if (result === READ_FAILED) this.nextPeer(NEXT_INVALID_HEADER);
    else if (result === READ_DONE) this.answer({ ...piece, start: reader.position });
  }

  /** A part of a head has come; it stays until the rest is there. */
  private keepHead(piece: Piece, limit: number): void {
    const { rules, head } = this;
    const length = this.kept === 0 ? limit - piece.start : this.kept;
    if (length >= this.headRoom) {
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

  /** 103: the answer itself follows. */
  private takeHints(following: Piece): void {
    const { head, request, rules } = this;
    if (head.version < 1001) {
      this.log("error", "upstream sent HTTP/1.0 response with early hints");
      this.nextPeer(NEXT_INVALID_HEADER);
      return;
    }
    this.hintBytes += head.scanned;
    if (this.hintBytes > rules.bufferSize) this.log("info", "upstream sent too big early hints");
    else passEarlyHints(request, head, rules);
    this.kept = 0;
    if (this.active && following.start < following.end) this.readHead(following);
  }

  /** Something that is no HTTP/1: passed as it is, as an answer of HTTP/0.9. */
  private answerWithoutHead(following: Piece): void {
    const { request } = this;
    if (this.cache === undefined) this.log("error", "upstream sent no valid HTTP/1.0 header");
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
    this.reader?.amend(facts);
    const { status } = head;
    const { cache } = this;
    if (cache !== undefined) cache.freshness.read(head, rules.ignoredHeaders, cache.nowS);
    const now = this.now();
    attempt.headerMs = now - this.attemptMs;
    const bodiless = status === NO_CONTENT || status === NOT_MODIFIED || rules.isHead(request);
    if (bodiless || (!facts.chunked && facts.contentLength === 0)) {
      this.keepable = !facts.connectionClose && following.start === following.end;
    }
    if (status >= 300 && this.isSetAside(status)) return;
    const { upstream } = this.target as Target;
    if (upstream.sticky?.learnsFromHeader === true) this.learnSession();
    upstream.balancer.gotHeader(this.pick as Pick, attempt.headerMs, now);
    const redirect = accelRedirect(head, facts, rules);
    if (redirect !== undefined) {
      this.redirect(redirect);
      return;
    }
    if (cache !== undefined) this.honour(cache);
    fillAnswer(request, head, facts, rules);
    if (cache !== undefined) request.skipConditions = !cache.freshness.cacheable;
    if (status === SWITCHING_PROTOCOLS && request.head.known[UPGRADE] !== -1) this.openTunnel(following);
    else this.sendAnswer(following, bodiless);
  }

  /** True when something else takes the place of this answer. */
  private isSetAside(status: number): boolean {
    if (this.tryAnother(status)) return true;
    if (this.cache !== undefined && this.isBetterCached(this.cache, status)) return true;
    return this.intercept(status);
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
    if (rules.interceptsMissing && status === 404) {
      this.finalize(status);
      return true;
    }
    if (!rules.interceptErrors || request.location.errorPages?.has(status) !== true) return false;
    if (status === 401) {
      for (let index = 0; index < head.fieldCount; index++) {
        if (head.field(index) === WWW_AUTHENTICATE_FIELD) request.addHeader(head.name(index), head.value(index));
      }
    }
    if (this.cache !== undefined) {
      this.honour(this.cache);
      this.cache.rememberError(status);
    }
    this.finalize(status);
    return true;
  }

  /** X-Accel-Redirect: our own answer to another URI takes the place of this one. */
  private redirect(target: string): void {
    this.leave();
    this.settle(this.redirected(target));
  }

  protected override redirected(target: string): number {
    const { request } = this;
    fillRedirected(request, this.head, this.facts, this.rules);
    if (target.startsWith("@")) return namedLocation(request, target);
    const parts = splitUri(target);
    if (parts === undefined) {
      this.log("error", `unsafe URI "${target}" was detected`);
      return 404;
    }
    if (request.method !== HEAD) {
      request.method = GET;
      request.changedMethod = "GET";
    }
    return internalRedirect(request, parts.uri, parts.args);
  }

  // ---- the end

  /** nginx: ngx_http_upstream_finalize_request. OK, ERROR or a status. */
  protected finalize(rc: number): void {
    const { request } = this;
    if (rc === OK) this.keepCopy();
    // The connection may end by this.
    if (request.headerSent) this.body.giveGathered(request);
    if (!this.active) return;
    if (this.cache !== undefined && this.phase !== ANSWERING && (rc === 502 || rc === 504))
      this.cache.rememberFailure(rc);
    this.leave();
    this.action = SENDING_TO_CLIENT;
    if (!request.headerSent || request.postAction || rc === 408 || rc === CLIENT_CLOSED) {
      this.settle(rc === DECLINED ? ERROR : rc);
      return;
    }
    if (rc !== OK) {
      // What there is of the answer goes out, and the end of the connection tells the client that it is not all. The main request
      // of a subrequest goes on without the rest.
      if (request.parent === undefined) request.keepAlive = false;
      this.settle(request.withheld ? ERROR : OK);
      return;
    }
    if (request.chain !== undefined) {
      const trailers = this.body.trailers?.visible(this.rules);
      if (trailers !== undefined) request.trailers = trailers;
      sendBody(request, [], LAST);
    }
    this.settle(rc);
  }

  /** The engine goes on. Nothing of this object may be used behind it: the request may already be another one. */
  protected override settle(rc: number): void {
    if (this.starting) this.outcome = rc;
    else this.request.connection.resume(this.request, rc);
  }
}
