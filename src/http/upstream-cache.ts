/**
 * The side of an exchange that faces a cache: answers from it, waits for who fetches the same, keeps new answers, and falls
 * back on old ones. Counterpart in nginx: ngx_http_upstream_cache and its neighbours in ngx_http_upstream.c.
 */
import type { Bytes } from "../base/bytes.ts";
import { parseHttpDate } from "../wire/http1/date.ts";
import { RANGE } from "../wire/http1/fields.ts";
import {
  ETAG_FIELD,
  HEAD_COMPLETE,
  HEAD_INVALID_LINE,
  HEAD_NO_STATUS,
  LAST_MODIFIED_FIELD,
} from "../wire/http1/response-head.ts";
import { SENDING_TO_CLIENT } from "./actions.ts";
import { bytesChunk, fileChunk, LAST } from "./body.ts";
import type { CacheRules } from "./cache-rules.ts";
import {
  BYPASS,
  CacheUse,
  EXPIRED,
  FILE_ABSENT,
  FILE_BUSY,
  FILE_FAILED,
  FILE_FRESH,
  FILE_SCARCE,
  FILE_STALE,
  FILE_UPDATING,
  HIT,
  MISS,
  REVALIDATED,
  STALE,
  UPDATING,
} from "./cache-use.ts";
import { sendBody, sendHeader } from "./engine.ts";
import { DECLINED, DONE, ERROR, OK } from "./outcome.ts";
import { isAnySet } from "./predicates.ts";
import { subrequest } from "./subrequest.ts";
import { accelRedirect, fillAnswer, readFacts } from "./upstream-answer.ts";
import { DeliverySide } from "./upstream-delivery.ts";
import { IDLE, LOCKED } from "./upstream-peer.ts";
import { READ_DONE } from "./upstream-protocol.ts";
import { NEXT_BY_STATUS, NEXT_UPDATING } from "./upstream-rules.ts";

const PARTIAL_CONTENT = 206;
const NOT_MODIFIED = 304;
const EARLY_HINTS = 103;
/** HTTP/0.9: an answer without a head. */
const NO_HEAD_VERSION = 9;
/** Whoever waits looks as often as this. */
const LOOK_AGAIN_MS = 500;
/** `sendCached`: the file is damaged, and nothing has been sent. */
const DAMAGED = -100;
const BUFFER_STEP_BYTES = 1024;
const HEAD_ROOM_BYTES = 256;

export abstract class CacheSide extends DeliverySide {
  /** Asks the upstream; the cache has nothing to say. The outcome. */
  protected abstract ask(): number;
  /** The engine goes on. Nothing of this object may be used behind it. */
  protected abstract settle(rc: number): void;
  /** What X-Accel-Redirect asks for takes the place of the answer. The outcome. */
  protected abstract redirected(target: string): number;

  /** DECLINED: the upstream is to be asked. DONE: it waits. Else the outcome. */
  protected consult(rules: CacheRules): number {
    const { request } = this;
    let use = this.cache;
    if (use === undefined) {
      if (!rules.takesMethod(request.method)) return DECLINED;
      const cache = rules.cacheOf(request);
      if (cache === undefined) return DECLINED;
      if (cache === "unknown") return 500;
      const { bufferSize } = this.rules;
      use = new CacheUse(request, rules, cache, this.keyText(rules), bufferSize);
      if (!use.fits) {
        const wanted = Math.ceil((use.headerStart + HEAD_ROOM_BYTES) / BUFFER_STEP_BYTES) * BUFFER_STEP_BYTES;
        const message = `proxy_buffer_size ${bufferSize} is not enough for cache key, it should be increased to at least ${wanted}`;
        request.connection.logErrorOf(request, "error", message);
        return DECLINED;
      }
      this.cache = use;
      if (isAnySet(request, rules.bypass)) {
        use.status = BYPASS;
        return DECLINED;
      }
    }
    return this.decide(use, use.open());
  }

  private keyText(rules: CacheRules): string {
    return rules.key === undefined ? (this.destination?.keyStart ?? "") + this.uri : rules.key(this.request);
  }

  private decide(use: CacheUse, found: number): number {
    const { rules } = use;
    const mayServeOld = ((rules.useStale & NEXT_UPDATING) !== 0 || use.allowsUpdating) && !this.request.background;
    switch (found) {
      case FILE_FRESH:
        return this.serve(use, HIT);
      case FILE_STALE:
        if (!mayServeOld || !rules.backgroundUpdate) {
          use.expire();
          break;
        }
        if (!this.updateBehind(use)) return 500;
        return this.serve(use, STALE);
      case FILE_UPDATING:
        if (mayServeOld) return this.serve(use, UPDATING);
        use.expire();
        break;
      case FILE_ABSENT:
        break;
      case FILE_SCARCE:
        use.freshness.cacheable = false;
        break;
      case FILE_BUSY:
        return this.waitForLock(use);
      case FILE_FAILED:
        return 500;
      default:
        use.status = HIT;
        return found;
    }
    if (this.isFarRange(rules)) use.freshness.cacheable = false;
    return DECLINED;
  }

  /** A request for what begins so far behind is not worth the whole. nginx: ngx_http_upstream_cache_check_range. */
  private isFarRange({ maxRangeOffset }: CacheRules): boolean {
    const { head } = this.request;
    if (maxRangeOffset === Number.POSITIVE_INFINITY || head.known[RANGE] === -1) return false;
    if (maxRangeOffset === 0) return true;
    const match = /^bytes= *(-|\d*)/i.exec(head.knownValue(RANGE) ?? "");
    if (match === null) return false;
    const [, first = ""] = match;
    return first === "-" || Number(first) >= maxRangeOffset;
  }

  private serve(use: CacheUse, status: number): number {
    use.status = status;
    const rc = this.sendCached(use);
    if (rc !== DAMAGED) return rc;
    use.isCached = false;
    use.status = MISS;
    return DECLINED;
  }

  /** A subrequest that nobody waits for renews what is sent now. */
  private updateBehind(use: CacheUse): boolean {
    const { request } = this;
    const made = subrequest(request, request.uri, { args: request.args, background: true, clone: true });
    if (made === undefined) return false;
    made.headerOnly = true;
    use.updatesBehind = true;
    return true;
  }

  // ---- the lock

  private waitForLock(use: CacheUse): number {
    const { worker } = this.request.connection;
    this.phase = LOCKED;
    worker.timers.arm(this, Math.min(LOOK_AGAIN_MS, use.waitUntilMs - this.now()));
    return DONE;
  }

  override onTimer(): void {
    if (this.phase !== LOCKED) {
      super.onTimer();
      return;
    }
    const use = this.cache as CacheUse;
    const leftMs = use.waitMs();
    if (leftMs > 0) {
      this.request.connection.worker.timers.arm(this, Math.min(LOOK_AGAIN_MS, leftMs));
      return;
    }
    this.phase = IDLE;
    let rc = this.decide(use, use.open());
    if (rc === DECLINED) rc = this.ask();
    if (rc !== DONE) this.settle(rc);
  }

  // ---- an answer from the cache

  /** Sends the file: the outcome, or DAMAGED. nginx: ngx_http_upstream_cache_send. */
  private sendCached(use: CacheUse): number {
    const { request, head, facts, rules } = this;
    use.isCached = true;
    const result = this.readCachedHead(use);
    if (result === HEAD_NO_STATUS) {
      request.version = NO_HEAD_VERSION;
      request.keepAlive = false;
      return this.sendFile(use);
    }
    if (result !== HEAD_COMPLETE || head.status === EARLY_HINTS || !readFacts(request, head, facts)) {
      request.connection.logErrorOf(request, "crit", `cache file "${use.path}" contains invalid header`);
      return DAMAGED;
    }
    this.reader?.amend(facts);
    this.headRead = true;
    use.freshness.read(head, rules.ignoredHeaders, use.nowS);
    this.honour(use);
    const target = accelRedirect(head, facts, rules);
    if (target !== undefined) return this.redirected(target);
    fillAnswer(request, head, facts, rules);
    request.skipConditions = !use.freshness.cacheable;
    if (rules.forceRanges) request.singleRange = false;
    return this.sendFile(use);
  }

  private readCachedHead(use: CacheUse): number {
    const { head, reader } = this;
    if (reader !== undefined) {
      reader.begin();
      const result = reader.readHead(use.bytes, use.headerStart, use.bodyStart, use.bodyStart - use.headerStart);
      return result === READ_DONE ? HEAD_COMPLETE : HEAD_INVALID_LINE;
    }
    head.begin(use.bytes, use.headerStart);
    return use.headerStart === use.bodyStart ? HEAD_NO_STATUS : head.parse(use.bytes.length);
  }

  private sendFile(use: CacheUse): number {
    const { request } = this;
    const rc = sendHeader(request);
    if (rc !== OK || request.headerOnly) return rc;
    const { fd, bodyStart, length, bytes } = use;
    const isRead = bytes.length === length;
    const chunk = isRead ? bytesChunk(bytes, bodyStart, length) : fileChunk(fd, bodyStart, length);
    sendBody(request, bodyStart < length ? [chunk] : [], LAST);
    return OK;
  }

  /** The old answer takes the place of the one that could not be had. True when it has. */
  protected override servesStale(reason: number): boolean {
    const use = this.cache;
    if (use === undefined || use.status !== EXPIRED) return false;
    if ((use.rules.useStale & reason) === 0 && !use.allowsError) return false;
    this.sendInstead(use, STALE);
    return true;
  }

  private sendInstead(use: CacheUse, status: number): void {
    use.status = status;
    const rc = this.sendCached(use);
    this.endWithCached(rc === DAMAGED ? 500 : rc);
  }

  /** What was sent is not from the upstream: nothing more belongs to it. */
  private endWithCached(rc: number): void {
    this.leave();
    this.action = SENDING_TO_CLIENT;
    this.settle(rc === DECLINED ? ERROR : rc);
  }

  // ---- an answer of the upstream

  /** Its head has been read. True when the file in the cache is sent instead. nginx: the cache's part of ngx_http_upstream_test_next. */
  protected isBetterCached(use: CacheUse, status: number): boolean {
    if (use.status !== EXPIRED) return false;
    const reason = NEXT_BY_STATUS.get(status) ?? 0;
    if ((use.rules.useStale & reason) !== 0) {
      this.sendInstead(use, STALE);
      return true;
    }
    if (status !== NOT_MODIFIED || !use.rules.revalidate) return false;
    this.revalidated(use);
    return true;
  }

  private revalidated(use: CacheUse): void {
    const { freshness } = use;
    let { validS, updatingS, errorS } = freshness;
    use.status = REVALIDATED;
    const rc = this.sendCached(use);
    if (validS === 0) {
      validS = freshness.validS;
      updatingS = freshness.updatingS;
      errorS = freshness.errorS;
    }
    if (validS === 0 && this.headRead) {
      const seconds = use.rules.validS(this.head.status);
      if (seconds !== 0) validS = use.nowS + seconds;
    }
    if (validS !== 0) {
      freshness.validS = validS;
      freshness.updatingS = updatingS;
      freshness.errorS = errorS;
      use.refreshFile();
    }
    this.endWithCached(rc === DAMAGED ? 500 : rc);
  }

  /** What the head says of keeping the answer counts. */
  protected honour({ freshness }: CacheUse): void {
    if (freshness.noCache || freshness.expired) freshness.cacheable = false;
  }

  /** Decides whether the answer is kept, and begins its file. False: nothing can be done for the request any more. */
  protected override keepInCache(use: CacheUse): boolean {
    const { freshness, rules } = use;
    use.closeFile();
    if (isAnySet(this.request, rules.noCache)) freshness.cacheable = false;
    else if (use.status === BYPASS && !use.create()) return false;
    if (freshness.cacheable) {
      const status = this.headRead ? this.head.status : 0;
      if (freshness.validS === 0) {
        const seconds = rules.validS(status);
        if (seconds !== 0) freshness.validS = use.nowS + seconds;
      }
      if (freshness.validS === 0 || !this.beginFile(use, status)) freshness.cacheable = false;
    }
    if (freshness.cacheable) this.body.copy = use;
    else use.leave();
    return true;
  }

  private beginFile(use: CacheUse, status: number): boolean {
    const { head, facts } = this;
    const hasEntity = status === 200 || status === PARTIAL_CONTENT;
    const value = (field: number): string => {
      const index = hasEntity && this.headRead ? (facts.lines[field] as number) : -1;
      return index < 0 ? "" : head.value(index);
    };
    const bytes: Bytes = this.headRead ? head.bytes.subarray(head.base, head.base + head.scanned) : NO_BYTES;
    return use.beginFile({
      head: this.rules.protocol?.packHead(bytes) ?? bytes,
      lastModifiedS: parseHttpDate(value(LAST_MODIFIED_FIELD)) ?? -1,
      etag: value(ETAG_FIELD),
      folder: this.rules.temporaryFolder,
    });
  }
}

const NO_BYTES: Bytes = new Uint8Array(0);
