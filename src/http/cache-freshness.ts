/**
 * What an answer says of its own keeping: Cache-Control, Expires, X-Accel-Expires, Set-Cookie and Vary, as nginx understands
 * them, line by line in their order. Counterpart in nginx: ngx_http_upstream_process_cache_control and its neighbours.
 */
import { parseHttpDate } from "../wire/http1/date.ts";
import * as wire from "../wire/http1/response-head.ts";
import {
  IGNORE_CACHE_CONTROL,
  IGNORE_EXPIRES,
  IGNORE_SET_COOKIE,
  IGNORE_VARY,
  IGNORE_X_ACCEL_EXPIRES,
} from "./upstream-rules.ts";

/** Longest Vary that can be kept. */
const MAX_VARY_BYTES = 128;
/** Times beyond are all the same: nginx's largest integer. */
const FOREVER = Number.MAX_SAFE_INTEGER;

/** What is said of an answer; times in seconds. */
export class Freshness {
  /** It may be kept. */
  cacheable = true;
  /** Until when it is fresh, since 1970; 0: it does not say. */
  validS = 0;
  /** Behind that, how long it may be used while it is renewed, and when renewing fails. */
  updatingS = 0;
  errorS = 0;
  /** It must not be kept, unless a line that counts more says otherwise. */
  noCache = false;
  expired = false;
  vary = "";
  private accelSeen = false;

  /** The lines of a head; `ignored` is a set of IGNORE_ bits. What was said by the head before stays where this one says nothing. */
  read(head: wire.ResponseHead, ignored: number, nowS: number): void {
    this.noCache = false;
    this.expired = false;
    this.accelSeen = false;
    const varies: string[] = [];
    for (let index = 0; index < head.fieldCount; index++) {
      switch (head.field(index)) {
        case wire.SET_COOKIE_FIELD:
          if ((ignored & IGNORE_SET_COOKIE) === 0) this.cacheable = false;
          break;
        case wire.CACHE_CONTROL_FIELD:
          if ((ignored & IGNORE_CACHE_CONTROL) === 0) this.readCacheControl(head.value(index).toLowerCase(), nowS);
          break;
        case wire.EXPIRES_FIELD:
          if ((ignored & IGNORE_EXPIRES) === 0) this.readExpires(head.value(index), nowS);
          break;
        case wire.X_ACCEL_EXPIRES_FIELD:
          this.accelSeen = true;
          if ((ignored & IGNORE_X_ACCEL_EXPIRES) === 0) this.readAccelExpires(head.value(index), nowS);
          break;
        case wire.VARY_FIELD:
          varies.push(head.value(index));
          if ((ignored & IGNORE_VARY) === 0) this.readVary(varies);
          break;
        default:
      }
    }
  }

  private readCacheControl(value: string, nowS: number): void {
    if (this.validS === 0 || !this.accelSeen) {
      if (/no-cache|no-store|private/.test(value)) {
        this.noCache = true;
        return;
      }
      const age = secondsBehind(value, "s-maxage=") ?? secondsBehind(value, "max-age=");
      if (age === "malformed") {
        this.cacheable = false;
        return;
      }
      if (age === 0) {
        this.noCache = true;
        return;
      }
      if (age !== undefined) {
        this.validS = Math.min(FOREVER, nowS + age);
        this.expired = false;
      }
    }
    const updating = secondsBehind(value, "stale-while-revalidate=");
    const error = secondsBehind(value, "stale-if-error=");
    if (updating === "malformed") this.cacheable = false;
    else if (updating !== undefined) {
      this.updatingS = updating;
      this.errorS = updating;
    }
    if (updating === "malformed") return;
    if (error === "malformed") this.cacheable = false;
    else if (error !== undefined) this.errorS = error;
  }

  private readExpires(value: string, nowS: number): void {
    if (this.validS !== 0) return;
    const expires = parseHttpDate(value);
    if (expires === undefined || expires < nowS) this.expired = true;
    else this.validS = expires;
  }

  private readAccelExpires(value: string, nowS: number): void {
    const isInstant = value.startsWith("@");
    const text = isInstant ? value.slice(1) : value;
    if (!/^\d{1,18}$/.test(text)) return;
    const number = Number(text);
    if (!isInstant && number === 0) {
      this.cacheable = false;
      return;
    }
    this.validS = Math.min(FOREVER, isInstant ? number : nowS + number);
    this.noCache = false;
    this.expired = false;
  }

  private readVary(values: readonly string[]): void {
    if (!this.cacheable) return;
    if (values.at(-1) === "*") {
      this.cacheable = false;
      return;
    }
    const vary = values.join(", ");
    if (vary.length > MAX_VARY_BYTES) this.cacheable = false;
    this.vary = vary;
  }
}

/** The number behind a word; undefined without the word. */
function secondsBehind(value: string, word: string): number | "malformed" | undefined {
  const at = value.indexOf(word);
  if (at < 0) return undefined;
  const [digits = ""] = value.slice(at + word.length).split(/[,; ]/, 1);
  if (!/^\d*$/.test(digits)) return "malformed";
  return Math.min(FOREVER, Number(digits));
}
