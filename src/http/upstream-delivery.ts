/**
 * The body of an upstream's answer on its way to the client, and what may take its place: a tunnel. Paced by what the client takes and
 * by `proxy_limit_rate`, and copied for `proxy_store` or a cache. Counterpart in nginx: the second half of ngx_http_upstream.c.
 */
import type { Pick } from "../balance/pick.ts";
import { parseHttpDate } from "../wire/http1/date.ts";
import { HEAD } from "../wire/http1/methods.ts";
import { LAST_MODIFIED_FIELD, ResponseHead } from "../wire/http1/response-head.ts";
import { SENDING_TO_CLIENT } from "./actions.ts";
import type { CacheUse } from "./cache-use.ts";
import { sendHeader, sizeFrom } from "./engine.ts";
import { ERROR, OK } from "./outcome.ts";
import type { PeerConnection } from "./peer-connection.ts";
import { AnswerFacts } from "./upstream-answer.ts";
import {
  AnswerBody,
  BODY_BAD_TRAILERS,
  BODY_EXCESS,
  BODY_FAILED,
  BODY_INVALID,
  BODY_MORE,
  type Piece,
} from "./upstream-body.ts";
import { Pace } from "./upstream-pace.ts";
import { ANSWERING, PeerSide, TUNNELLING, WHILE_READING_HEAD } from "./upstream-peer.ts";
import type { Target } from "./upstream-rules.ts";
import { StoredAnswer } from "./upstream-store.ts";
import { Upgrade } from "./upstream-upgrade.ts";

export const SWITCHING_PROTOCOLS = 101;
const WHILE_READING = "while reading upstream";
const WHILE_TUNNELLING = "while proxying upgraded connection";
const NOTHING: Piece = { memory: undefined, bytes: new Uint8Array(0), start: 0, end: 0 };

export abstract class DeliverySide extends PeerSide {
  readonly head = new ResponseHead();
  protected readonly facts = new AnswerFacts();
  protected readonly body = new AnswerBody();
  /** `head` is that of an answer, from an upstream or a cache. */
  protected headRead = false;
  private upgrade: Upgrade | undefined = undefined;
  /** `proxy_limit_rate` at work. */
  private pace: Pace | undefined = undefined;

  /** Decides whether the answer is kept in the cache, and begins its file. False when the request can't go on. */
  protected abstract keepInCache(use: CacheUse): boolean;

  // ---- the answer to the client

  protected sendAnswer(following: Piece, bodiless = false): void {
    const { request, facts, rules, body } = this;
    const { connection } = request;
    const buffered = facts.buffering < 0 ? rules.buffering : facts.buffering === 1;
    if (!buffered) {
      request.limitRate = 0;
      request.main.flushes = true;
    }
    // Nobody has asked for another protocol: what follows is a body, and the client would take it for that protocol.
    else if (request.status === SWITCHING_PROTOCOLS) request.withheld = true;
    this.action = SENDING_TO_CLIENT;
    const rc = sendHeader(request);
    if (!this.active) return;
    if (rc !== OK) {
      this.finalize(rc);
      return;
    }
    if (!this.beginCopy(buffered)) {
      this.finalize(ERROR);
      return;
    }
    if (request.headerOnly) {
      if (body.copy === undefined) {
        this.finalize(OK);
        return;
      }
      // The client has its answer; the rest is for the copy.
      connection.urgent = true;
    }
    this.phase = ANSWERING;
    // So does nginx name it while it looks at what came with the head.
    const isWithHead = this.reader !== undefined && !buffered && following.start < following.end;
    this.action = isWithHead ? WHILE_READING_HEAD : WHILE_READING;
    const { reader } = this;
    if (reader === undefined)
      body.begin(bodiless ? 0 : facts.contentLength, facts.chunked && !bodiless, buffered, rules.passTrailers);
    else body.beginRead(reader, bodiless ? 0 : facts.contentLength, buffered, request.method === HEAD);
    if (rules.limitRate !== undefined && buffered) {
      const rate = sizeFrom(request, rules.limitRate);
      if (rate > 0) this.pace = new Pace(rate, this.wallS());
    }
    if (following.start < following.end) {
      this.takeBody(following);
      if (isWithHead && this.active) this.action = WHILE_READING;
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

  /** Of an answer that is not passed as it comes a copy may be kept. False when the request can't go on. */
  private beginCopy(buffered: boolean): boolean {
    const { rules, request, cache, body } = this;
    body.copy = undefined;
    if (cache !== undefined) {
      if (buffered) return this.keepInCache(cache);
      cache.leave();
    } else if (rules.store !== undefined && buffered && request.status === 200)
      body.copy = new StoredAnswer(request, rules.store, rules.temporaryFolder);
    return true;
  }

  protected takeBody(piece: Piece): void {
    if (this.pace === undefined) this.readBody(piece);
    else {
      this.pace.hold(piece);
      this.keepPace(this.pace);
    }
  }

  /** Passes as much as may pass now, and reads on when its time is over. */
  private keepPace(pace: Pace): void {
    const piece = pace.take(this.wallS());
    const size = piece === undefined ? 0 : piece.end - piece.start;
    if (piece !== undefined) this.readBody(piece);
    if (!this.active) return;
    const delayMs = pace.delayMs(size, this.wallS());
    if (delayMs > 0 || !pace.empty) {
      pace.waiting = true;
      this.pauseReading();
      this.request.connection.worker.timers.arm(this, Math.max(1, delayMs));
    } else if (!this.body.full) this.resumeReading();
  }

  private wallS(): number {
    return Math.floor(this.request.connection.worker.ports.reactor.clock.wall() / 1000);
  }

  override onTimer(): void {
    const { pace } = this;
    if (pace?.waiting !== true) {
      super.onTimer();
      return;
    }
    pace.waiting = false;
    if (!this.body.full) this.goOnReading();
  }

  private goOnReading(): void {
    const { pace } = this;
    if (pace === undefined || pace.empty) this.resumeReading();
    else this.keepPace(pace);
  }

  private pauseReading(): void {
    if (this.paused) return;
    this.paused = true;
    this.stopTimer();
    this.connection?.stream.pauseReading();
  }

  private resumeReading(): void {
    if (!this.paused) return;
    this.paused = false;
    this.request.connection.worker.timers.arm(this, this.rules.readTimeoutMs);
    this.connection?.stream.resumeReading();
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
    if (body.full) this.pauseReading();
    else if (!this.paused) connection.worker.timers.arm(this, rules.readTimeoutMs);
  }

  private endBody(result: number, chunked: boolean): void {
    if (result === BODY_INVALID || result === BODY_FAILED || result === BODY_BAD_TRAILERS) {
      if (result === BODY_BAD_TRAILERS) this.log("error", this.body.trailers?.reason ?? "");
      if (result === BODY_INVALID) this.log("error", "upstream sent invalid chunked response");
      this.finalize(ERROR);
      return;
    }
    this.keepable = this.reader === undefined ? !this.facts.connectionClose : this.reader.keepable;
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
    this.body.drained(this.request);
    if (!this.active) return;
    if (this.paused && this.pace?.waiting !== true) this.goOnReading();
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
  protected openTunnel(following: Piece): void {
    const { request, rules } = this;
    this.keepable = false;
    if (this.cache !== undefined) this.cache.leave();
    request.limitRate = 0;
    request.main.flushes = true;
    this.action = SENDING_TO_CLIENT;
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
    this.pace = undefined;
    this.body.dropCopy();
    if (this.cache !== undefined) this.cache.leave();
    if (this.upgrade !== undefined) {
      this.upgrade.close();
      this.upgrade = undefined;
    }
    super.leave();
  }

  /** The answer has come to its end: its copy gets its place, that of `proxy_store` when it is as long as it should be. */
  protected keepCopy(): void {
    const { copy } = this.body;
    if (copy === undefined) return;
    const { contentLength } = this.facts;
    this.body.copy = undefined;
    if (copy === this.cache) {
      if (this.lacksBody()) this.cache.leave();
      else this.cache.store();
    } else if (copy instanceof StoredAnswer) {
      if (contentLength < 0 || contentLength === copy.length) copy.keep(this.lastModifiedS());
      else copy.drop();
    }
  }

  /** What a gateway has answered to HEAD, and ended with the connection, is no answer to GET unless its body was sent all the same. */
  private lacksBody(): boolean {
    const { contentLength } = this.facts;
    const isPlain = this.reader !== undefined && !this.reader.framesBody;
    return isPlain && this.request.method === HEAD && contentLength >= 0 && contentLength !== this.attempt.bodyBytes;
  }

  private lastModifiedS(): number {
    const { head, facts } = this;
    const index = facts.lines[LAST_MODIFIED_FIELD] as number;
    return index < 0 ? -1 : (parseHttpDate(head.value(index)) ?? -1);
  }
}
