/**
 * Sessions that stay with their peer: the cookie that carries the peer's name, and the table of sessions that were learned
 * from answers. nginx: ngx_http_upstream_sticky_module.
 */
import { fromLatin1 } from "../base/bytes.ts";
import { md5Hex } from "../base/hash-md5.ts";

/** `sticky cookie NAME …`. */
export interface StickyCookieSettings {
  readonly name: string;
  /** Seconds; "max": until the end of 2037; undefined: for the browser's session. */
  readonly expires: number | "max" | undefined;
  readonly httpOnly: boolean;
  readonly secure: boolean;
  /** "": no attribute. */
  readonly path: string;
}

/** What `samesite=` may say, in lower case. */
export const SAME_SITE: readonly string[] = ["strict", "lax", "none"];

/**
 * Value of the Set-Cookie line that ties a client to the peer of this sid. `domain` and `sameSite` may hold variables and so
 * come with each request; "" leaves them out, and a `sameSite` that is none of the three words counts as strict.
 */
export function stickyCookie(
  settings: StickyCookieSettings,
  sid: string,
  domain: string,
  sameSite: string,
  wallMs: number,
): string {
  let cookie = `${settings.name}=${sid}`;
  if (settings.expires === "max") cookie += "; expires=Thu, 31-Dec-37 23:55:55 GMT; max-age=315360000";
  else if (settings.expires !== undefined) {
    const until = Math.floor(wallMs / 1000) + settings.expires;
    cookie += `; expires=${cookieDate(until)}; max-age=${settings.expires}`;
  }
  if (domain !== "") cookie += `; domain=${domain}`;
  if (settings.httpOnly) cookie += "; httponly";
  if (settings.secure) cookie += "; secure";
  if (sameSite !== "") cookie += `; samesite=${SAME_SITE.includes(sameSite.toLowerCase()) ? sameSite : "strict"}`;
  if (settings.path !== "") cookie += `; path=${settings.path}`;
  return cookie;
}

/** `Thu, 31-Dec-37 23:55:55 GMT`; from 2038 on with four digits, since browsers read "38" as 1938 (nginx: ngx_http_cookie_time). */
function cookieDate(seconds: number): string {
  const [day, date, month, year, time] = new Date(seconds * 1000).toUTCString().split(" ") as [
    string,
    string,
    string,
    string,
    string,
  ];
  return `${day} ${date}-${month}-${Number(year) > 2037 ? year : year.slice(2)} ${time} GMT`;
}

/** Sessions that were seen: whom each belongs to. Bounded; the one that was idle longest makes room. */
export class LearnedSessions {
  private readonly timeoutMs: number;
  private readonly limit: number;
  /** In the order of last use: a Map remembers the order of insertion. Keys are digests, so that all cost the same. */
  private readonly sessions = new Map<string, { sid: string; lastMs: number }>();

  /** `limit`: as many sessions as the zone has room for, at least 1. */
  constructor(timeoutMs: number, limit: number) {
    this.timeoutMs = timeoutMs;
    this.limit = limit;
  }

  get size(): number {
    return this.sessions.size;
  }

  /** The sid to ask for, or undefined for an unknown session. Looking does not keep a session alive; using it (`learn`) does. */
  find(session: string): string | undefined {
    return this.sessions.get(digest(session))?.sid;
  }

  /**
   * An answer has come from the peer of `sid`. `created`: the session that the answer began, "" for none; `looked`: the one that
   * the request named. A session that is known follows the peer that served it; only `created` makes a new one.
   */
  learn(created: string, looked: string, sid: string, nowMs: number): void {
    const session = created !== "" ? created : looked;
    if (session === "") return;
    const key = digest(session);
    if (!this.sessions.delete(key)) {
      if (created === "") return;
      if (this.sessions.size >= this.limit) this.dropOldest();
    }
    this.sessions.set(key, { sid, lastMs: nowMs });
  }

  /** Drops what has been idle for the timeout; returns the ms after which to come again, undefined when there is nothing left. */
  expire(nowMs: number): number | undefined {
    for (const [key, { lastMs }] of this.sessions) {
      const left = lastMs + this.timeoutMs - nowMs;
      if (left > 0) return left;
      this.sessions.delete(key);
    }
    return undefined;
  }

  private dropOldest(): void {
    for (const key of this.sessions.keys()) {
      this.sessions.delete(key);
      return;
    }
  }
}

function digest(session: string): string {
  return md5Hex(fromLatin1(session));
}
