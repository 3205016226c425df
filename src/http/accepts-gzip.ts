/** May this answer be compressed for this client? Counterpart in nginx: ngx_http_gzip_ok. */

import { acceptsGzip } from "../wire/http1/accept-encoding.ts";
import { parseHttpDate } from "../wire/http1/date.ts";
import { ACCEPT_ENCODING, AUTHORIZATION, USER_AGENT, VIA } from "../wire/http1/fields.ts";
import { recogniseBrowser } from "./head-rules.ts";
import type { Request } from "./request.ts";

/** Answers to requests that came through a proxy, told by `Via`. */
export type ProxiedAnswers =
  | "off"
  | "expired"
  | "no-cache"
  | "no-store"
  | "private"
  | "no_last_modified"
  | "no_etag"
  | "auth"
  | "any";

/** What `gzip_http_version`, `gzip_proxied` and `gzip_disable` say. */
export interface GzipRules {
  /** 1000 or 1001. */
  readonly leastVersion: number;
  readonly proxied: ReadonlySet<ProxiedAnswers>;
  /** Browsers that get none. */
  readonly disabled: readonly RegExp[];
  readonly notMsie6: boolean;
}

/** True when the client takes gzip and the rules let it have it. */
export function mayGzip(request: Request, rules: GzipRules): boolean {
  const { head } = request;
  if (request.parent !== undefined || head.known[ACCEPT_ENCODING] === -1) return false;
  if (!acceptsGzip(head.knownValue(ACCEPT_ENCODING) as string)) return false;
  if (rules.notMsie6) {
    recogniseBrowser(request);
    if (request.msie6) return false;
  }
  if (request.version < rules.leastVersion) return false;
  if (head.known[VIA] !== -1 && !mayGzipProxied(request, rules.proxied)) return false;
  if (rules.disabled.length === 0) return true;
  const browser = head.knownValue(USER_AGENT);
  return browser === undefined || !rules.disabled.some((pattern) => pattern.test(browser));
}

function mayGzipProxied(request: Request, proxied: ReadonlySet<ProxiedAnswers>): boolean {
  if (proxied.has("off")) return false;
  if (proxied.has("any")) return true;
  if (proxied.has("auth") && request.head.known[AUTHORIZATION] !== -1) return true;
  const expires = answerLines(request, "expires")[0];
  if (expires !== undefined) return proxied.has("expired") && isExpired(request, expires);
  const control = answerLines(request, "cache-control");
  if (control.length > 0) {
    return CONTROLS.some(([word, pattern]) => proxied.has(word) && control.some((line) => pattern.test(line)));
  }
  if (proxied.has("no_last_modified") && request.lastModifiedIndex >= 0) return false;
  return !(proxied.has("no_etag") && request.etag !== undefined);
}

/** A directive without a value. */
const CONTROLS = [
  ["no-cache", /(?:^|[;,] *)no-cache *(?:,|$)/i],
  ["no-store", /(?:^|[;,] *)no-store *(?:,|$)/i],
  ["private", /(?:^|[;,] *)private *(?:,|$)/i],
] as const;

function isExpired(request: Request, expires: string): boolean {
  const at = parseHttpDate(expires);
  const line = answerLines(request, "date")[0];
  const date = line === undefined ? request.connection.worker.dates.now() : parseHttpDate(line);
  return at !== undefined && date !== undefined && at < date;
}

/** Values of the answer's lines of this name. */
function answerLines({ headerCount, headerNames, headerValues }: Request, name: string): readonly string[] {
  const found: string[] = [];
  for (let i = 0; i < headerCount; i++) {
    if ((headerNames[i] as string).toLowerCase() === name) found.push(headerValues[i] as string);
  }
  return found;
}
