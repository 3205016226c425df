/**
 * Which location of a server serves a URI: exact ones, the longest prefix, then regular expressions in their order
 * unless the prefix forbids them; the same again inside the location that was found. Counterpart in nginx:
 * ngx_http_core_find_location and its static tree.
 */
import type { Location } from "./location.ts";
import type { Request } from "./request.ts";
import type { Matcher } from "./variables.ts";

/** A regular expression of the configuration at work: tests a text and keeps its captures in the request. */

export interface RegexLocation {
  readonly matches: Matcher;
  readonly location: Location;
}

/** A location with a prefix or an exact URI, and what a URI without the final slash gets. */
export interface StaticLocation {
  readonly location: Location;
  readonly exact: boolean;
  /** The location answers `/name` with a redirect to `/name/` (proxy_pass and its kin). */
  readonly autoRedirect: boolean;
}

export const FOUND_NONE = 0;
export const FOUND = 1;
/** The location was found by the URI with a slash behind it. */
export const FOUND_REDIRECT = 2;
const FOUND_PREFIX = 3;

/** Locations of one level. */
export class LocationTree {
  private readonly exact = new Map<string, Location>();
  private readonly redirects = new Map<string, Location>();
  /** Prefixes by their length, the longest first. */
  private readonly prefixes: { readonly length: number; readonly byName: ReadonlyMap<string, Location> }[] = [];
  /** The only prefix there is, when it is "/": the usual small configuration. */
  private readonly everything: Location | undefined;
  private readonly regexes: readonly RegexLocation[];

  constructor(statics: readonly StaticLocation[], regexes: readonly RegexLocation[]) {
    this.regexes = regexes;
    const lengths = new Map<number, Map<string, Location>>();
    for (const { location, exact, autoRedirect } of statics) {
      const { name } = location;
      if (autoRedirect && name.endsWith("/")) this.redirects.set(name.slice(0, -1), location);
      if (exact) {
        this.exact.set(name, location);
        continue;
      }
      let byName = lengths.get(name.length);
      if (byName === undefined) {
        byName = new Map();
        lengths.set(name.length, byName);
      }
      byName.set(name, location);
    }
    for (const [length, byName] of [...lengths].sort(([a], [b]) => b - a)) this.prefixes.push({ length, byName });
    this.everything =
      this.prefixes.length === 1 && this.prefixes[0]?.length === 1 ? lengths.get(1)?.get("/") : undefined;
  }

  /** Sets `request.location`. */
  find(request: Request): number {
    const uri = request.uri;
    let result = this.findStatic(request, uri);
    if (result === FOUND || result === FOUND_REDIRECT) return result;
    let noRegex = false;
    if (result === FOUND_PREFIX) {
      const { inner, noRegex: forbids } = request.location;
      noRegex = forbids;
      if (inner !== undefined) {
        const nested = inner.find(request);
        if (nested === FOUND || nested === FOUND_REDIRECT) return nested;
      }
      result = FOUND_NONE;
    }
    if (noRegex) return FOUND_NONE;
    for (let i = 0; i < this.regexes.length; i++) {
      const { matches, location } = this.regexes[i] as RegexLocation;
      if (!matches(request, uri)) continue;
      request.location = location;
      location.inner?.find(request);
      return FOUND;
    }
    return FOUND_NONE;
  }

  private findStatic(request: Request, uri: string): number {
    if (this.exact.size > 0) {
      const location = this.exact.get(uri);
      if (location !== undefined) {
        request.location = location;
        return FOUND;
      }
    }
    if (this.redirects.size > 0 && !this.hasPrefix(uri)) {
      const location = this.redirects.get(uri);
      if (location !== undefined) {
        request.location = location;
        return FOUND_REDIRECT;
      }
    }
    if (this.everything !== undefined) {
      if (!uri.startsWith("/")) return FOUND_NONE;
      request.location = this.everything;
      return FOUND_PREFIX;
    }
    for (let i = 0; i < this.prefixes.length; i++) {
      const { length, byName } = this.prefixes[i] as (typeof this.prefixes)[number];
      if (length > uri.length) continue;
      const location = byName.get(length === uri.length ? uri : uri.slice(0, length));
      if (location === undefined) continue;
      request.location = location;
      return FOUND_PREFIX;
    }
    return FOUND_NONE;
  }

  /** True when a location has exactly this name, so that no redirect is needed. */
  private hasPrefix(uri: string): boolean {
    return this.prefixes.some(({ length, byName }) => length === uri.length && byName.has(uri));
  }
}
