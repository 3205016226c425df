/** How a location uses a cache. nginx: the `cache_*` members of ngx_http_upstream_conf_t. */
import { GET, HEAD, POST } from "../wire/http1/methods.ts";
import type { CacheConf, NextWord, ValidLine } from "./cache-directives.ts";
import type { FileCache } from "./file-cache.ts";
import type { Place } from "./module.ts";
import type { Request } from "./request.ts";
import * as rules from "./upstream-rules.ts";
import type { Text } from "./variables.ts";

/** Why the next server is asked, as bits. */
export const NEXT_BITS: Readonly<Record<NextWord, number>> = {
  error: rules.NEXT_ERROR,
  timeout: rules.NEXT_TIMEOUT,
  invalid_header: rules.NEXT_INVALID_HEADER,
  non_idempotent: rules.NEXT_NON_IDEMPOTENT,
  http_500: rules.NEXT_HTTP_500,
  http_502: rules.NEXT_HTTP_502,
  http_503: rules.NEXT_HTTP_503,
  http_504: rules.NEXT_HTTP_504,
  http_403: rules.NEXT_HTTP_403,
  http_404: rules.NEXT_HTTP_404,
  http_429: rules.NEXT_HTTP_429,
  updating: 0,
  off: 0,
};

/** Why an old answer may be used. */
const STALE_BITS: typeof NEXT_BITS = {
  ...NEXT_BITS,
  error: rules.NEXT_ERROR | rules.NEXT_NO_LIVE,
  updating: rules.NEXT_UPDATING,
};

export interface CacheRules {
  /** The cache for a request: undefined for none, "unknown" (which has been logged) for one that there isn't. */
  cacheOf(request: Request): FileCache | "unknown" | undefined;
  /** `…_cache_key`; undefined: scheme, host and URI of the request to the upstream (of a gateway: nothing). */
  readonly key: Text | undefined;
  takesMethod(method: number): boolean;
  /** How long an answer with this status is fresh that says nothing itself, seconds; 0: it is not kept. */
  validS(status: number): number;
  readonly bypass: readonly Text[];
  readonly noCache: readonly Text[];
  readonly minUses: number;
  readonly maxRangeOffset: number;
  /** Set of NEXT_ bits. */
  readonly useStale: number;
  readonly backgroundUpdate: boolean;
  readonly revalidate: boolean;
  readonly lock: boolean;
  readonly lockAgeMs: number;
  readonly lockTimeoutMs: number;
  readonly convertHead: boolean;
}

/** Undefined when the location uses none. */
export function cacheRulesOf(conf: CacheConf, convertHead: boolean, place: Place): CacheRules | undefined {
  const choice = conf.cache;
  if (choice === "off") return undefined;
  const stale = conf.cache_use_stale;
  let useStale = 0;
  if (!stale.has("off")) for (const word of stale) useStale |= STALE_BITS[word];
  const { caches } = place.worker;
  const compile = (texts: CacheConf["no_cache"]): readonly Text[] => texts.map((text) => place.compile(text));
  const fixed = "zone" in choice ? caches.find(choice.zone) : undefined;
  const takesPost = conf.cache_methods.has("POST");
  return {
    cacheOf: "text" in choice ? computedCache(place.compile(choice.text), place) : () => fixed,
    key: conf.cache_key === undefined ? undefined : place.compile(conf.cache_key),
    takesMethod: (method) => method === GET || method === HEAD || (takesPost && method === POST),
    validS: (status) => validOf(conf.cache_valid, status),
    bypass: compile(conf.cache_bypass),
    noCache: compile(conf.no_cache),
    minUses: conf.cache_min_uses,
    maxRangeOffset: conf.cache_max_range_offset ?? Number.POSITIVE_INFINITY,
    useStale,
    backgroundUpdate: conf.cache_background_update,
    revalidate: conf.cache_revalidate,
    lock: conf.cache_lock,
    lockAgeMs: conf.cache_lock_age,
    lockTimeoutMs: conf.cache_lock_timeout,
    convertHead,
  };
}

function computedCache(name: Text, { worker }: Place): CacheRules["cacheOf"] {
  return (request) => {
    const text = name(request);
    if (text === "" || text === "off") return undefined;
    const found = worker.caches.find(text);
    if (found !== undefined) return found;
    request.connection.logErrorOf(request, "error", `cache "${text}" not found`);
    return "unknown";
  };
}

function validOf(lines: readonly ValidLine[], status: number): number {
  return lines.find(({ statuses }) => statuses === "any" || statuses.includes(status))?.validS ?? 0;
}
