/** How a location deals with an upstream, whatever protocol it speaks: what `proxy_*`, `fastcgi_*` and the other families say. nginx: ngx_http_upstream_conf_t. */
import type { ConnectSettings } from "../io/reactor.ts";
import type { Endpoint } from "../io/stream.ts";
import type { UpstreamAddress } from "../net/upstream-address.ts";
import type { CacheRules } from "./cache-rules.ts";
import type { Output } from "./output.ts";
import type { Request } from "./request.ts";
import type { TemporaryFolder } from "./temporary-file.ts";
import type { Upstream } from "./upstream-group.ts";
import type { UpstreamProtocol } from "./upstream-protocol.ts";
import type { StoreRules } from "./upstream-store.ts";
import type { Text } from "./variables.ts";

/** Reasons to try the next peer, as bits. */
export const NEXT_ERROR = 1;
export const NEXT_TIMEOUT = 2;
export const NEXT_INVALID_HEADER = 4;
export const NEXT_HTTP_500 = 8;
export const NEXT_HTTP_502 = 16;
export const NEXT_HTTP_503 = 32;
export const NEXT_HTTP_504 = 64;
export const NEXT_HTTP_403 = 128;
export const NEXT_HTTP_404 = 256;
export const NEXT_HTTP_429 = 512;
export const NEXT_NON_IDEMPOTENT = 1024;
/** No peer is left: never in a configuration, so never a reason to go on. */
export const NEXT_NO_LIVE = 2048;
/** Of `proxy_cache_use_stale`: somebody else is about to renew the answer. */
export const NEXT_UPDATING = 4096;

/** Answers of a peer that may be reasons. */
export const NEXT_BY_STATUS: ReadonlyMap<number, number> = new Map([
  [500, NEXT_HTTP_500],
  [502, NEXT_HTTP_502],
  [503, NEXT_HTTP_503],
  [504, NEXT_HTTP_504],
  [403, NEXT_HTTP_403],
  [404, NEXT_HTTP_404],
  [429, NEXT_HTTP_429],
]);

/** Lines of an answer that `proxy_ignore_headers` can take the effect from, as bits. */
export const IGNORE_X_ACCEL_REDIRECT = 1;
export const IGNORE_X_ACCEL_LIMIT_RATE = 2;
export const IGNORE_X_ACCEL_BUFFERING = 4;
export const IGNORE_X_ACCEL_CHARSET = 8;
export const IGNORE_X_ACCEL_EXPIRES = 16;
export const IGNORE_EXPIRES = 32;
export const IGNORE_CACHE_CONTROL = 64;
export const IGNORE_SET_COOKIE = 128;
export const IGNORE_VARY = 256;

/** Rewrites a value; undefined when it stays as it is. */
export type Rewrite = (request: Request, value: string) => string | undefined;

/** Where a request goes, found when it begins. */
export interface Destination {
  /** `http://` */
  readonly scheme: string;
  /** `$proxy_host`, `$proxy_port` and the Host of the request. */
  readonly hostHeader: string;
  readonly port: string;
  /** The URI part of `proxy_pass`; "" when it has none. */
  readonly uri: string;
  /** What a cache's key begins with where none is configured. nginx: `key_start`. */
  readonly keyStart: string;
}

/** A destination whose peers are known. */
export interface Target extends Destination {
  readonly upstream: Upstream;
}

/** A destination whose host is a name that is looked up for the request. nginx: ngx_http_upstream_resolved_t. */
export class NamedDestination implements Destination {
  readonly address: UpstreamAddress;
  readonly scheme: string;
  readonly hostHeader: string;
  readonly port: string;
  readonly uri: string;
  readonly keyStart: string;

  constructor(address: UpstreamAddress, { scheme, hostHeader, port, uri, keyStart }: Destination) {
    this.address = address;
    this.scheme = scheme;
    this.hostHeader = hostHeader;
    this.port = port;
    this.uri = uri;
    this.keyStart = keyStart;
  }
}

export interface UpstreamRules {
  /** What is spoken where it is not HTTP/1. */
  readonly protocol: UpstreamProtocol | undefined;
  /** A status when it can't be told: the reason has been logged. */
  target(request: Request): Target | NamedDestination | number;
  /** The URI that the upstream is asked for; undefined when it would be empty. */
  uriOf(request: Request, destination: Destination): string | undefined;
  /** Bytes that the head of the request needs at most; the texts that it is made of are kept until `write`. -1: it can't be made, which has been logged. */
  prepare(request: Request, uri: string, target: Target): number;
  /** Writes the head of the request, and `proxy_set_body`. */
  write(request: Request, output: Output): void;
  /** Nothing is sent or awaited: the connection itself is the answer (CONNECT). */
  readonly tunnels: boolean;
  /** The client's body follows the head. */
  readonly sendsBody: boolean;
  /** The body of this request is passed on as it comes. */
  streamsBody(request: Request): boolean;
  /** The answer to this request has no body. */
  isHead(request: Request): boolean;
  readonly connectTimeoutMs: number;
  readonly sendTimeoutMs: number;
  readonly readTimeoutMs: number;
  /** Set of NEXT_ bits. */
  readonly next: number;
  /** 0: as many as there are peers. */
  readonly nextTries: number;
  /** 0: no limit. */
  readonly nextTimeoutMs: number;
  /** Bound of the answer's head. */
  readonly bufferSize: number;
  /** Bytes of an answer that are kept in memory for a slow client. */
  readonly memoryBytes: number;
  /** Of these, what a slow client is given; the rest is gathered, and put into a file when memory is full. */
  readonly busyBytes: number;
  /** Most bytes of one write to that file. */
  readonly fileWriteBytes: number;
  /** Bytes that are kept in a file behind that; 0: none. */
  readonly maxTempFileSize: number;
  readonly temporaryFolder: TemporaryFolder;
  readonly buffering: boolean;
  readonly interceptErrors: boolean;
  /** 404 is always answered by ourselves. nginx: `intercept_404`. */
  readonly interceptsMissing: boolean;
  readonly ignoreClientAbort: boolean;
  readonly forceRanges: boolean;
  readonly passTrailers: boolean;
  readonly store: StoreRules | undefined;
  readonly cache: CacheRules | undefined;
  /** Bytes a second that are taken from the upstream, as a text; undefined: any. */
  readonly limitRate: Text | undefined;
  /** Set of IGNORE_ bits. */
  readonly ignoredHeaders: number;
  /** Lower-case names of lines that the client doesn't see. */
  /** 1 for each known field of a response that is not passed on, and the lower-case names of others. */
  readonly hiddenFields: Uint8Array;
  readonly hiddenNames: ReadonlySet<string>;
  readonly rewriteRedirect: Rewrite | undefined;
  readonly rewriteCookie: Rewrite | undefined;
  /** The address that connections come from; undefined: the system's choice. */
  readonly localAddress: ((request: Request) => Endpoint | undefined) | undefined;
  /** Undefined: no options. */
  readonly connectSettings: ConnectSettings | undefined;
}
