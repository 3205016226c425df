/** The cookie that ties a client to its peer. nginx: ngx_http_upstream_sticky_module. */

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
export function cookieDate(seconds: number): string {
  const [day, date, month, year, time] = new Date(seconds * 1000).toUTCString().split(" ") as [
    string,
    string,
    string,
    string,
    string,
  ];
  return `${day} ${date}-${month}-${Number(year) > 2037 ? year : year.slice(2)} ${time} GMT`;
}
