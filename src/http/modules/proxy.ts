/** Passes requests to HTTP servers. nginx: ngx_http_proxy_module. */
import { parsePattern } from "../../conf/pattern.ts";
import type { Pattern } from "../../conf/pcre.ts";
import type { Scope } from "../../conf/scope.ts";
import type { ConfOf, Use } from "../../conf/slot.ts";
import { choice, flag, fold, list, num, raw, template } from "../../conf/slots.ts";
import { constantOf, literal, type Template } from "../../conf/template.ts";
import { parseUpstreamAddress, type UpstreamAddress } from "../../net/upstream-address.ts";
import { cacheDirectives, NEXT_WORDS } from "../cache-directives.ts";
import type { Handler } from "../location.ts";
import { httpModule, type Place } from "../module.ts";
import { cacheHeaders, ProxyRequest, type ProxyRequestOptions, proxiedUri, type SetHeader } from "../proxy-request.ts";
import { type CookieFlags, cookieRewrite, type Replacement, redirectRewrite } from "../proxy-rewrite.ts";
import { computedTarget, fixedTarget, HTTP_PORT, SCHEME } from "../proxy-target.ts";
import type { Request } from "../request.ts";
import { sendLowat } from "../send-lowat.ts";
import { Exchange } from "../upstream.ts";
import { checkAddress } from "../upstream-destination.ts";
import { answerDirectives, prefixed, unprefixed } from "../upstream-directives.ts";
import type { UpstreamRules } from "../upstream-rules.ts";
import { checkFamily, type FamilyConf, familyRules, mergeFamily } from "../upstream-settings.ts";
import type { Variable } from "../variables.ts";
import { headerOf } from "./core.ts";

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

/** Lines that clients don't see, beside those that no gateway shows. */
const HIDDEN = ["Date", "Server", "X-Pad"];

const common = { ...answerDirectives("proxy", NEXT_WORDS), ...cacheDirectives("proxy", NEXT_WORDS) };

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
  proxy_pass_trailers: flag(false, { doc: "Passes the trailers of answers." }),
  proxy_cache_convert_head: flag(true, { doc: "Turns HEAD into GET, so that the answer can be kept." }),
  proxy_send_lowat: sendLowat(),
  ...prefixed("proxy", common),
};

type ProxyConf = ConfOf<typeof directives>;

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

/** What a request is written by: one way, or another when its answer may be kept in the cache. */
function writerOf(proxied: ProxyRequest, cached: ProxyRequest | undefined): (request: Request) => ProxyRequest {
  if (cached === undefined) return () => proxied;
  return (request) => (request.exchange?.cache?.freshness.cacheable === true ? cached : proxied);
}

function rulesOf(conf: ProxyConf, pass: Pass, place: Place): UpstreamRules {
  const family = unprefixed<FamilyConf>("proxy", conf);
  const settings = { hidden: HIDDEN, convertHead: conf.proxy_cache_convert_head };
  const answers = familyRules(family, settings, place);
  const options: ProxyRequestOptions = {
    headers: conf.proxy_set_header,
    method: conf.proxy_method,
    body: conf.proxy_set_body,
    http11: conf.proxy_http_version === "1.1",
    passHeaders: family.pass_request_headers,
    passBody: family.pass_request_body,
    convertsHead: answers.cache !== undefined,
  };
  const proxied = new ProxyRequest(options, place);
  const headers = cacheHeaders(options.headers);
  const cached = answers.cache === undefined ? undefined : new ProxyRequest({ ...options, headers }, place);
  const writer = writerOf(proxied, cached);
  const replaced = replacedLength(place);
  return {
    ...answers,
    protocol: undefined,
    target: pass.kind === "fixed" ? fixedTarget(pass.address, place) : computedTarget(place.compile(pass.url), place),
    uriOf: (request, { uri }) => proxiedUri(request, uri, replaced, pass.kind === "computed") || undefined,
    prepare: (request, uri, target) => writer(request).prepare(request, uri, target),
    write: (request, output) => writer(request).write(request, output),
    sendsBody: proxied.sendsBody,
    streamsBody: (request) =>
      !family.request_buffering && proxied.sendsBody && (!request.chunkedBody || conf.proxy_http_version === "1.1"),
    isHead: (request) => proxied.isHead(request),
    passTrailers: conf.proxy_pass_trailers,
    rewriteRedirect: redirectRewrite(redirectsOf(conf, pass, place), place),
    rewriteCookie: cookieRewrite(
      {
        domains: conf.proxy_cookie_domain ?? [],
        paths: conf.proxy_cookie_path ?? [],
        flags: conf.proxy_cookie_flags ?? [],
      },
      place,
    ),
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
  merge: (merged, _outer, situation) => mergeFamily("proxy", merged, situation),
  check(conf, situation, report) {
    const { scope, own, environment } = situation;
    const pass = own.proxy_pass;
    if (pass?.kind === "fixed") {
      const position = scope.origin(proxy, "proxy_pass")?.positions[0];
      checkAddress(scope, pass.address, environment.lookUp, { report, position, needsPort: false });
    }
    checkFamily("proxy", proxy, conf, situation, report);
  },
  contentHandler: build,
});
