/** `$upstream_*`. nginx: ngx_http_upstream_vars. */

import type { Try } from "../net/upstream-try.ts";
import { printHttpDate } from "../wire/http1/date.ts";
import { findParam } from "../wire/http1/params.ts";
import { CACHE_STATUSES, type CacheUse, EXPIRED } from "./cache-use.ts";
import { seconds } from "./core-variables.ts";
import type { Request } from "./request.ts";
import type { Getter, Variable, VariablePrefix } from "./variables.ts";

function list(value: (one: Try) => string): Getter {
  return (request) => request.exchange?.tries.print(value);
}

function time(ms: number): string {
  return ms < 0 ? "-" : seconds(ms);
}

/** Values of all lines of this name, joined as nginx joins them. */
function header(rest: string): Getter {
  return (request) => {
    const head = request.exchange?.answeredHead;
    if (head === undefined) return undefined;
    let index = head.find(rest);
    if (index < 0) return undefined;
    let value = head.value(index);
    for (index = head.find(rest, index + 1); index >= 0; index = head.find(rest, index + 1)) {
      value += `, ${head.value(index)}`;
    }
    return value;
  };
}

function trailer(rest: string): Getter {
  return (request) => request.exchange?.answeredTrailers?.valueOf(rest);
}

function cookie(rest: string): Getter {
  return (request: Request) => {
    const head = request.exchange?.answeredHead;
    if (head === undefined) return undefined;
    for (let index = head.find("set_cookie"); index >= 0; index = head.find("set_cookie", index + 1)) {
      const [pair = ""] = head.value(index).split(";", 1);
      const value = findParam(pair, rest, ";");
      if (value !== undefined) return value;
    }
    return undefined;
  };
}

/** The cache's answer is old, and the upstream is asked whether it has changed. */
function asksAgain(request: Request): CacheUse | undefined {
  const use = request.exchange?.cache;
  return use?.status === EXPIRED && use.rules.revalidate ? use : undefined;
}

/** Variables with names of their own. */
export const UPSTREAM_VARIABLES: readonly Variable[] = [
  { name: "upstream_addr", doc: "Addresses of the peers that were asked.", get: list((one) => one.peer) },
  {
    name: "upstream_status",
    doc: "Statuses of their answers.",
    get: list((one) => (one.status === 0 ? "-" : String(one.status))),
  },
  {
    name: "upstream_queue_time",
    doc: "Seconds that each was waited for in the queue.",
    get: list((one) => time(one.queueMs)),
  },
  { name: "upstream_connect_time", doc: "Seconds until each was connected.", get: list((one) => time(one.connectMs)) },
  {
    name: "upstream_header_time",
    doc: "Seconds until each had sent its header.",
    get: list((one) => time(one.headerMs)),
  },
  {
    name: "upstream_response_time",
    doc: "Seconds until each had sent everything.",
    get: list((one) => time(one.responseMs)),
  },
  { name: "upstream_response_length", doc: "Bytes of each answer's body.", get: list((one) => String(one.bodyBytes)) },
  { name: "upstream_bytes_received", doc: "Bytes received from each.", get: list((one) => String(one.receivedBytes)) },
  {
    name: "upstream_cache_status",
    doc: "What the cache did: MISS, BYPASS, EXPIRED, STALE, UPDATING, REVALIDATED, HIT.",
    get: (request) => CACHE_STATUSES[request.exchange?.cache?.status ?? 0] || undefined,
  },
  {
    name: "upstream_cache_last_modified",
    doc: "When the old answer was modified that `proxy_cache_revalidate` asks about.",
    get: (request) => {
      const use = asksAgain(request);
      return use === undefined || use.lastModifiedS === -1 ? undefined : printHttpDate(use.lastModifiedS);
    },
  },
  {
    name: "upstream_cache_etag",
    doc: "The tag of the old answer that `proxy_cache_revalidate` asks about.",
    get: (request) => asksAgain(request)?.etag || undefined,
  },
  { name: "upstream_bytes_sent", doc: "Bytes sent to each.", get: list((one) => String(one.sentBytes)) },
];

/** Families of variables. */
export const UPSTREAM_PREFIXES: readonly VariablePrefix[] = [
  { prefix: "upstream_http_", doc: "A line of the upstream's header.", bind: header },
  { prefix: "upstream_trailer_", doc: "A line of the upstream's trailer.", bind: trailer },
  { prefix: "upstream_cookie_", doc: "A cookie that the upstream sets.", bind: cookie },
];
