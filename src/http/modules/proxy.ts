/** Passes requests to HTTP servers. nginx: ngx_http_proxy_module. */
import type { Position } from "../../conf/diagnostics.ts";
import { parsePattern } from "../../conf/pattern.ts";
import type { Pattern } from "../../conf/pcre.ts";
import type { Scope } from "../../conf/scope.ts";
import type { ConfOf, Report, Use } from "../../conf/slot.ts";
import {
  type Buffers,
  bits,
  buffers,
  choice,
  flag,
  fold,
  list,
  msec,
  num,
  raw,
  size,
  template,
} from "../../conf/slots.ts";
import { constantOf, literal, type Template } from "../../conf/template.ts";
import { sizeBytes } from "../../conf/values.ts";
import { parseUpstreamAddress, type UpstreamAddress } from "../../net/upstream-address.ts";
import { type Bind, connectSettingsOf, parseBind } from "../../net/upstream-socket.ts";
import { RESPONSE_FIELDS } from "../../wire/http1/response-head.ts";
import { type CacheChoice, cacheDirectives } from "../cache-directives.ts";
import { cacheRulesOf } from "../cache-rules.ts";
import { parseAccess } from "../file-moves.ts";
import type { Handler } from "../location.ts";
import { httpModule, type Place } from "../module.ts";
import { cacheHeaders, ProxyRequest, type ProxyRequestOptions, proxiedUri, type SetHeader } from "../proxy-request.ts";
import { type CookieFlags, cookieRewrite, type Replacement, redirectRewrite } from "../proxy-rewrite.ts";
import { computedTarget, fixedTarget, HTTP_PORT, SCHEME } from "../proxy-target.ts";
import type { Request } from "../request.ts";
import { sendLowat } from "../send-lowat.ts";
import type { TemporaryFolder } from "../temporary-file.ts";
import { Exchange } from "../upstream.ts";
import { localAddressOf } from "../upstream-bind.ts";
import { checkAddress } from "../upstream-destination.ts";
import * as rules from "../upstream-rules.ts";
import { parseStore, type StoreRules } from "../upstream-store.ts";
import type { Variable } from "../variables.ts";
import { endOfHttp, headerOf, parseTemporaryPath } from "./core.ts";

/** nginx's page: the size of buffers that nobody has set. */
const PAGE = "4k";
const DEFAULT_TEMP_FILE_BYTES = 1024 * 1024 * 1024;

/** `proxy_pass`: an address, or a text that makes one for each request. */
type Pass =
  | { readonly kind: "fixed"; readonly url: string; readonly address: UpstreamAddress }
  | { readonly kind: "computed"; readonly url: Template };

function parsePass(use: Use): Pass | undefined {
  const url = use.args[0] as string;
  const parsed = use.template(url);
  if (parsed === undefined) return undefined;
  if (constantOf(parsed) === undefined) return { kind: "computed", url: parsed };
  const lower = url.toLowerCase();
  if (lower.startsWith("https://")) return use.fail("https protocol requires SSL support");
  if (!lower.startsWith(SCHEME)) return use.fail("invalid URL prefix");
  const text = url.slice(SCHEME.length);
  const address = parseUpstreamAddress(text, HTTP_PORT, true);
  if (typeof address === "string") return use.fail(`${address} in upstream "${text}"`);
  if (address.uri !== "" && !isPlainLocation(use.scope)) return use.fail(NO_URI_HERE);
  return { kind: "fixed", url, address };
}

const NO_URI_HERE =
  '"proxy_pass" cannot have URI part in location given by regular expression, or inside named location, ' +
  'or inside "if" statement, or inside "limit_except" block';

function isPlainLocation(scope: Scope): boolean {
  const kind = scope.context === "location" ? headerOf(scope)?.kind : undefined;
  return kind !== undefined && kind !== "regex" && kind !== "named";
}

function parseSetHeader(use: Use): SetHeader | undefined {
  const [name = "", text = ""] = use.args;
  const value = use.template(text);
  return value === undefined ? undefined : { name, value };
}

/** `proxy_redirect` lines, `default` standing for what `proxy_pass` implies; empty: off. */
type Redirects = readonly (Replacement | "default")[];

function parseRedirect(use: Use, current: Redirects | undefined): Redirects | undefined {
  const [first = "", second] = use.args;
  if (current?.length === 0) return use.invalid("is duplicate");
  if (second !== undefined) {
    const line = parseReplacement(use, first, second, false);
    return line === undefined ? undefined : [...(current ?? []), line];
  }
  if (first === "off") return current === undefined ? [] : use.invalid("is duplicate");
  if (first !== "default") return use.fail(`invalid parameter "${first}"`);
  const pass = use.scope.own(proxy).proxy_pass;
  if (pass === undefined) return use.fail('"proxy_redirect default" should be placed after the "proxy_pass" directive');
  if (pass.kind === "computed")
    return use.fail('"proxy_redirect default" cannot be used with "proxy_pass" directive with variables');
  return [...(current ?? []), "default"];
}

/** `~expression` (`~*` where case matters otherwise) or a text, and what takes its place. */
function parseReplacement(use: Use, first: string, second: string, anyCase: boolean): Replacement | undefined {
  let pattern: Pattern | Template | undefined;
  if (first.startsWith("~")) {
    const star = !anyCase && first.startsWith("~*");
    pattern = parsePattern(use, first.slice(star ? 2 : 1), anyCase || star);
  } else pattern = use.template(first);
  const replacement = use.template(second);
  return pattern === undefined || replacement === undefined ? undefined : { pattern, replacement };
}

function withoutDot(text: string): string {
  return text.startsWith(".") ? text.slice(1) : text;
}

function parseCookieLine(use: Use, current: readonly Replacement[] | undefined): readonly Replacement[] | undefined {
  const [first = "", second] = use.args;
  if (current?.length === 0) return use.invalid("is duplicate");
  if (second === undefined) {
    if (first !== "off") return use.fail(`invalid parameter "${first}"`);
    return current === undefined ? [] : use.invalid("is duplicate");
  }
  const isDomain = use.name === "proxy_cookie_domain";
  const plain = isDomain && !first.startsWith("~");
  const line = parseReplacement(use, plain ? withoutDot(first) : first, plain ? withoutDot(second) : second, isDomain);
  return line === undefined ? undefined : [...(current ?? []), line];
}

function parseCookieFlags(use: Use, current: readonly CookieFlags[] | undefined): readonly CookieFlags[] | undefined {
  const [first = "", ...words] = use.args;
  if (current?.length === 0) return use.invalid("is duplicate");
  if (words.length === 0) {
    if (first !== "off") return use.fail(`invalid parameter "${first}"`);
    return current === undefined ? [] : use.invalid("is duplicate");
  }
  const cookie = first.startsWith("~") ? parsePattern(use, first.slice(1), true) : use.template(first);
  const flags = words.map((word) => use.template(word));
  if (cookie === undefined || flags.includes(undefined)) return undefined;
  return [...(current ?? []), { cookie, flags: flags as readonly Template[] }];
}

const NEXT_BITS = {
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
} as const;
type NextWord = keyof typeof NEXT_BITS;

const IGNORED_BITS = {
  "X-Accel-Redirect": rules.IGNORE_X_ACCEL_REDIRECT,
  "X-Accel-Expires": rules.IGNORE_X_ACCEL_EXPIRES,
  "X-Accel-Limit-Rate": rules.IGNORE_X_ACCEL_LIMIT_RATE,
  "X-Accel-Buffering": rules.IGNORE_X_ACCEL_BUFFERING,
  "X-Accel-Charset": rules.IGNORE_X_ACCEL_CHARSET,
  Expires: rules.IGNORE_EXPIRES,
  "Cache-Control": rules.IGNORE_CACHE_CONTROL,
  "Set-Cookie": rules.IGNORE_SET_COOKIE,
  Vary: rules.IGNORE_VARY,
} as const;
type IgnoredWord = keyof typeof IGNORED_BITS;

const HIDDEN = [
  "Date",
  "Server",
  "X-Pad",
  "X-Accel-Expires",
  "X-Accel-Redirect",
  "X-Accel-Limit-Rate",
  "X-Accel-Buffering",
  "X-Accel-Charset",
];

const headerName = (use: Use): string => use.args[0] as string;

const directives = {
  proxy_pass: raw<Pass, undefined>(undefined, parsePass, {
    in: "location, if in location, limit_except",
    inherit: "conditions",
    syntax: "URL",
    doc: "Where requests are passed to.",
  }),
  proxy_redirect: fold<Redirects, undefined>(undefined, parseRedirect, {
    args: [1, 2],
    syntax: "default | off | redirect replacement",
    defaultText: "default",
    doc: "Changes the Location and Refresh of answers.",
  }),
  proxy_cookie_domain: fold<readonly Replacement[], undefined>(undefined, parseCookieLine, {
    args: [1, 2],
    syntax: "off | domain replacement",
    defaultText: "off",
    doc: "Changes the domain of cookies.",
  }),
  proxy_cookie_path: fold<readonly Replacement[], undefined>(undefined, parseCookieLine, {
    args: [1, 2],
    syntax: "off | path replacement",
    defaultText: "off",
    doc: "Changes the path of cookies.",
  }),
  proxy_cookie_flags: fold<readonly CookieFlags[], undefined>(undefined, parseCookieFlags, {
    args: [1, 4],
    syntax: "off | cookie [flag ...]",
    defaultText: "off",
    doc: "Sets or takes flags of cookies.",
  }),
  proxy_set_header: list(parseSetHeader, {
    args: 2,
    syntax: "field value",
    doc: "A line of the request that the server gets; an empty value leaves the client's line out.",
  }),
  proxy_headers_hash_max_size: num(512, { doc: "Accepted without effect: tables grow as they need." }),
  proxy_headers_hash_bucket_size: num(64, { doc: "Accepted without effect: tables grow as they need." }),
  proxy_set_body: template(undefined, { doc: "A body instead of the client's." }),
  proxy_method: template(undefined, { doc: "A method instead of the client's." }),
  proxy_http_version: choice("1.1", ["1.0", "1.1"], { doc: "Version of HTTP that servers are spoken to in." }),
  proxy_pass_request_headers: flag(true, { doc: "Passes the lines of the client's request." }),
  proxy_pass_request_body: flag(true, { doc: "Passes the body of the client's request." }),
  proxy_hide_header: list(headerName, { syntax: "field", doc: "A line of answers that clients don't see." }),
  proxy_pass_header: list(headerName, {
    syntax: "field",
    doc: "A line of answers that clients see although it is hidden otherwise.",
  }),
  proxy_ignore_headers: bits([], Object.keys(IGNORED_BITS) as IgnoredWord[], {
    doc: "Lines of answers that have no effect.",
  }),
  proxy_intercept_errors: flag(false, { doc: "Answers errors of the server with `error_page`." }),
  proxy_request_buffering: flag(true, { doc: "Reads the whole body of a request before a server is asked." }),
  proxy_store: raw<Template | "on" | "off", "off">("off", parseStore, {
    syntax: "on | off | string",
    defaultText: "off",
    doc: "Keeps a copy of each answer with status 200 as a file: where `root` or `alias` has it, or at the path that the string makes.",
  }),
  proxy_store_access: raw<number, number>(0o600, parseAccess, {
    args: [1, 3],
    syntax: "users:permissions ...",
    defaultText: "user:rw",
    doc: "Who may do what with files of `proxy_store`.",
  }),
  ...cacheDirectives,
  proxy_limit_rate: template(undefined, {
    constant: sizeBytes,
    doc: "Bytes a second that are taken of a buffered answer; 0 for any.",
  }),
  proxy_pass_trailers: flag(false, { doc: "Passes the trailers of answers." }),
  proxy_buffering: flag(true, { doc: "Reads answers as fast as the server sends them." }),
  proxy_buffer_size: size(PAGE, { doc: "Largest head of an answer." }),
  proxy_buffers: buffers(`8 ${PAGE}`, { doc: "Memory for an answer that a slow client has not taken." }),
  proxy_busy_buffers_size: size(undefined, {
    doc: "Bytes of `proxy_buffers` that a slow client has been given, while the rest may go into a file; twice the larger of `proxy_buffer_size` and one of them without.",
  }),
  proxy_max_temp_file_size: size(undefined, { doc: "Bytes of an answer that may wait in a file; 0 for none." }),
  proxy_temp_file_write_size: size(undefined, {
    doc: "Bytes of one write to the file with a waiting answer; twice the larger of `proxy_buffer_size` and one of the `proxy_buffers` without.",
  }),
  proxy_temp_path: raw<TemporaryFolder, undefined>(undefined, parseTemporaryPath, {
    args: [1, 4],
    syntax: "path [level1 [level2 [level3]]]",
    defaultText: "proxy_temp",
    doc: "Folder of temporary files with answers.",
  }),
  proxy_connect_timeout: msec("60s", { doc: "Time for a connection to a server." }),
  proxy_send_timeout: msec("60s", { doc: "Time between two writes to a server." }),
  proxy_read_timeout: msec("60s", { doc: "Time between two reads from a server." }),
  proxy_bind: raw<Bind, undefined>(undefined, parseBind, {
    args: [1, 2],
    syntax: "address [transparent] | off",
    doc: "The address that connections to servers come from; `transparent`: also one that is not of this machine.",
  }),
  proxy_socket_keepalive: flag(false, { doc: "Has TCP probe connections to servers (SO_KEEPALIVE)." }),
  proxy_socket_rcvbuf: size("0", { doc: "Receive buffer of connections to servers; 0 for the system's." }),
  proxy_socket_sndbuf: size("0", { doc: "Send buffer of connections to servers; 0 for the system's." }),
  proxy_send_lowat: sendLowat(),
  proxy_next_upstream: bits(["error", "timeout"], Object.keys(NEXT_BITS) as NextWord[], {
    doc: "What makes a request go on to the next server.",
  }),
  proxy_next_upstream_tries: num(0, { doc: "Servers that a request is given to; 0 for all." }),
  proxy_next_upstream_timeout: msec("0", { doc: "Time in which a request may go on to another server; 0 for any." }),
  proxy_ignore_client_abort: flag(false, { doc: "Finishes requests whose client has gone." }),
  proxy_force_ranges: flag(false, { doc: "Serves ranges of any answer." }),
};

type ProxyConf = ConfOf<typeof directives>;

/** The largest of the sizes that a part of an answer can have at once. */
function partBytes({ proxy_buffer_size: head, proxy_buffers: body }: ProxyConf): number {
  return Math.max(head, body.sizeBytes);
}

const PART_WORDS = 'the maximum of the value of "proxy_buffer_size" and one of the "proxy_buffers"';

function checkSizes(conf: ProxyConf, report: (message: string) => void): void {
  const { count, sizeBytes }: Buffers = conf.proxy_buffers;
  if (count < 2) {
    report('there must be at least 2 "proxy_buffers"');
    return;
  }
  const part = partBytes(conf);
  const busy = conf.proxy_busy_buffers_size ?? 2 * part;
  if (busy < part) report(`"proxy_busy_buffers_size" must be equal to or greater than ${PART_WORDS}`);
  else if (busy > (count - 1) * sizeBytes)
    report('"proxy_busy_buffers_size" must be less than the size of all "proxy_buffers" minus one buffer');
  else if ((conf.proxy_temp_file_write_size ?? 2 * part) < part)
    report(`"proxy_temp_file_write_size" must be equal to or greater than ${PART_WORDS}`);
  else if ((conf.proxy_max_temp_file_size ?? DEFAULT_TEMP_FILE_BYTES) < part && conf.proxy_max_temp_file_size !== 0)
    report(
      '"proxy_max_temp_file_size" must be equal to zero to disable temporary files usage or must be equal to or ' +
        `greater than ${PART_WORDS}`,
    );
}

/** An answer is kept in one place: what the inner scope says wins. nginx: the beginning of ngx_http_proxy_merge_loc_conf. */
function oneCopy({ proxy_store: store, proxy_cache: cache }: ProxyConf, own: Partial<ProxyConf>): Partial<ProxyConf> {
  if (store === "off" || cache === "off") return {};
  return own.proxy_store === undefined ? { proxy_store: "off" } : { proxy_cache: "off" };
}

function behind(one: Position | undefined, other: Position | undefined): boolean {
  if (one === undefined || other === undefined) return false;
  return one.line === other.line ? one.column > other.column : one.line > other.line;
}

/** The caches of a configuration are those of its http block. */
function checkCache(conf: ProxyConf, own: Partial<ProxyConf>, scope: Scope, report: Report): void {
  const position = (name: "proxy_cache" | "proxy_store") => scope.origin(proxy, name)?.positions[0];
  const choice: CacheChoice | undefined = own.proxy_cache;
  if (choice === undefined || choice === "off") return;
  if (own.proxy_store !== undefined && own.proxy_store !== "off") {
    const isLater = behind(position("proxy_store"), position("proxy_cache"));
    const [late, early] = isLater
      ? (["proxy_store", "proxy_cache"] as const)
      : (["proxy_cache", "proxy_store"] as const);
    report("emerg", `"${late}" directive is incompatible with "${early}"`, position(late));
  }
  if ("zone" in choice && !conf.proxy_cache_path.some(({ zone }) => zone === choice.zone))
    report("emerg", `"proxy_cache" zone "${choice.zone}" is unknown`, endOfHttp(scope));
}

/** Length of the location's name that `proxy_pass` replaces. */
function replacedLength(place: Place): number {
  const origin = place.scope.origin(proxy, "proxy_pass")?.scope;
  return origin !== undefined && isPlainLocation(origin) ? (headerOf(origin)?.name.length ?? 0) : 0;
}

function nameOfLocation(place: Place): string {
  const origin = place.scope.origin(proxy, "proxy_pass")?.scope;
  return origin === undefined ? "" : (headerOf(origin)?.name ?? "");
}

/** What `proxy_redirect default` means here. */
function defaultRedirect(pass: Pass, place: Place): readonly Replacement[] {
  if (pass.kind === "computed") return [];
  const { url, address } = pass;
  if (address.uri === "") return [{ pattern: literal(`${url}/`), replacement: literal("/") }];
  return [{ pattern: literal(url), replacement: literal(nameOfLocation(place)) }];
}

function redirectsOf(conf: ProxyConf, pass: Pass, place: Place): readonly Replacement[] {
  const standard = defaultRedirect(pass, place);
  if (conf.proxy_redirect === undefined) return standard;
  return conf.proxy_redirect.flatMap((line) => (line === "default" ? standard : [line]));
}

function sumBits<W extends string>(words: ReadonlySet<W>, values: Readonly<Record<W, number>>): number {
  let sum = 0;
  for (const word of words) sum |= values[word];
  return sum;
}

function hiddenHeaders(conf: ProxyConf): ReadonlySet<string> {
  const hidden = new Set([...HIDDEN, ...conf.proxy_hide_header].map((name) => name.toLowerCase()));
  for (const name of conf.proxy_pass_header) hidden.delete(name.toLowerCase());
  return hidden;
}

/** What a request is written by: one way, or another when its answer may be kept in the cache. */
function writerOf(proxied: ProxyRequest, cached: ProxyRequest | undefined): (request: Request) => ProxyRequest {
  if (cached === undefined) return () => proxied;
  return (request) => (request.exchange?.cache?.freshness.cacheable === true ? cached : proxied);
}

function storeOf(conf: ProxyConf, place: Place): StoreRules | undefined {
  const { proxy_store: store, proxy_store_access: mode } = conf;
  if (store === "off") return undefined;
  return { path: store === "on" ? undefined : place.compile(store), mode };
}

function rulesOf(conf: ProxyConf, pass: Pass, place: Place): rules.UpstreamRules {
  const cache = cacheRulesOf(conf, place);
  const options: ProxyRequestOptions = {
    headers: conf.proxy_set_header,
    method: conf.proxy_method,
    body: conf.proxy_set_body,
    http11: conf.proxy_http_version === "1.1",
    passHeaders: conf.proxy_pass_request_headers,
    passBody: conf.proxy_pass_request_body,
    convertsHead: cache !== undefined,
  };
  const proxied = new ProxyRequest(options, place);
  const headers = cacheHeaders(options.headers);
  const writer = writerOf(proxied, cache === undefined ? undefined : new ProxyRequest({ ...options, headers }, place));
  const replaced = replacedLength(place);
  const { proxy_buffers: memory } = conf;
  const next = conf.proxy_next_upstream;
  const hidden = hiddenHeaders(conf);
  return {
    target: pass.kind === "fixed" ? fixedTarget(pass.address, place) : computedTarget(place.compile(pass.url), place),
    uriOf: (request, { uri }) => proxiedUri(request, uri, replaced, pass.kind === "computed") || undefined,
    prepare: (request, uri, target) => writer(request).prepare(request, uri, target),
    write: (request, output) => writer(request).write(request, output),
    tunnels: false,
    sendsBody: proxied.sendsBody,
    streamsBody: (request) =>
      !conf.proxy_request_buffering && proxied.sendsBody && (!request.chunkedBody || conf.proxy_http_version === "1.1"),
    isHead: (request) => proxied.isHead(request),
    connectTimeoutMs: conf.proxy_connect_timeout,
    sendTimeoutMs: conf.proxy_send_timeout,
    readTimeoutMs: conf.proxy_read_timeout,
    next: next.has("off") ? 0 : sumBits(next, NEXT_BITS),
    nextTries: conf.proxy_next_upstream_tries,
    nextTimeoutMs: conf.proxy_next_upstream_timeout,
    bufferSize: conf.proxy_buffer_size,
    memoryBytes: memory.count * memory.sizeBytes,
    busyBytes: conf.proxy_busy_buffers_size ?? 2 * partBytes(conf),
    fileWriteBytes: conf.proxy_temp_file_write_size ?? 2 * partBytes(conf),
    maxTempFileSize: conf.proxy_max_temp_file_size ?? DEFAULT_TEMP_FILE_BYTES,
    temporaryFolder: conf.proxy_temp_path as TemporaryFolder,
    buffering: conf.proxy_buffering,
    interceptErrors: conf.proxy_intercept_errors,
    ignoreClientAbort: conf.proxy_ignore_client_abort,
    forceRanges: conf.proxy_force_ranges,
    passTrailers: conf.proxy_pass_trailers,
    store: storeOf(conf, place),
    cache,
    limitRate: conf.proxy_limit_rate === undefined ? undefined : place.compile(conf.proxy_limit_rate),
    ignoredHeaders: sumBits(conf.proxy_ignore_headers, IGNORED_BITS),
    hiddenFields: Uint8Array.from(RESPONSE_FIELDS, (name) => (hidden.has(name) ? 1 : 0)),
    hiddenNames: hidden,
    rewriteRedirect: redirectRewrite(redirectsOf(conf, pass, place), place),
    rewriteCookie: cookieRewrite(
      {
        domains: conf.proxy_cookie_domain ?? [],
        paths: conf.proxy_cookie_path ?? [],
        flags: conf.proxy_cookie_flags ?? [],
      },
      place,
    ),
    localAddress: localAddressOf(conf.proxy_bind, place),
    connectSettings: connectSettingsOf(conf.proxy_bind, {
      keepAlive: conf.proxy_socket_keepalive,
      receiveBuffer: conf.proxy_socket_rcvbuf,
      sendBuffer: conf.proxy_socket_sndbuf,
    }),
  };
}

function build(conf: ProxyConf, place: Place): Handler | undefined {
  const pass = conf.proxy_pass;
  if (pass === undefined) return undefined;
  const built = rulesOf(conf, pass, place);
  return (request) => {
    request.exchange ??= new Exchange(request);
    return request.exchange.run(built);
  };
}

/** The addresses that a request came through, and the one that it comes from. */
function forwardedFor({ head, connection }: Request): string {
  let text = "";
  for (let index = head.find("x-forwarded-for"); index >= 0; index = head.find("x-forwarded-for", index + 1)) {
    text += `${head.value(index)}, `;
  }
  return text + connection.remoteAddress;
}

const variables: readonly Variable[] = [
  {
    name: "proxy_host",
    doc: "Name and port of `proxy_pass`.",
    get: (request) => request.exchange?.destination?.hostHeader,
  },
  { name: "proxy_port", doc: "Port of `proxy_pass`.", get: (request) => request.exchange?.destination?.port },
  {
    name: "proxy_add_x_forwarded_for",
    doc: "X-Forwarded-For of the request with the client's address behind it.",
    get: forwardedFor,
  },
];

export const proxy = httpModule({
  name: "proxy",
  contexts: "http, server, location",
  directives,
  variables,
  autoRedirect: true,
  merge(merged, _outer, { own, environment: { prefix } }) {
    const { proxy_temp_path = { path: `${prefix}proxy_temp`, levels: [1, 2] } } = merged;
    return { ...merged, proxy_temp_path, ...oneCopy(merged, own) };
  },
  check(conf, { scope, own, environment }, report) {
    const pass = own.proxy_pass;
    if (pass?.kind === "fixed") {
      const position = scope.origin(proxy, "proxy_pass")?.positions[0];
      checkAddress(scope, pass.address, environment.lookUp, { report, position, needsPort: false });
    }
    checkCache(conf, own, scope, report);
    // What stands in http itself is looked at when a server takes it over.
    const isMerged = scope.context !== "http" || scope.children.some(({ context }) => context === "server");
    if (isMerged && Object.keys(own).some((name) => /buffer|temp_file/.test(name)))
      checkSizes(conf, (message) => report("emerg", message, endOfHttp(scope)));
  },
  contentHandler: build,
});
