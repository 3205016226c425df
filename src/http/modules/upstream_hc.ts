/** `health_check` and `match`: active health checks. nginx Plus: ngx_http_upstream_hc_module. */
import { HEALTH_DEFAULTS, type HealthSettings } from "../../balance/health.ts";
import type { Parameter } from "../../conf/parameters.ts";
import { present, readParameters, valued } from "../../conf/parameters.ts";
import { translatePattern } from "../../conf/pcre.ts";
import type { Scope } from "../../conf/scope.ts";
import type { Report, Use } from "../../conf/slot.ts";
import { list } from "../../conf/slots.ts";
import { milliseconds, number, word } from "../../conf/values.ts";
import type { BodyTest, HeaderTest, MatchTests, StatusTest } from "../health-match.ts";
import { httpModule } from "../module.ts";
import { proxy } from "./proxy.ts";
import { upstream } from "./upstream.ts";
import { upstreamZone } from "./upstream_zone.ts";

/** How a server is asked: over HTTP, by the health checking protocol of gRPC, or by connecting alone. */
export type HealthCheckType = "http" | "tcp" | "grpc";

/** One `health_check`. */
export interface HealthCheckLine extends HealthSettings {
  readonly uri: string;
  readonly port: number | undefined;
  /** Of the `match` block; undefined: status 2xx or 3xx. */
  readonly match: string | undefined;
  readonly type: HealthCheckType;
  /** With type=grpc. */
  readonly grpc: {
    /** Asked about; "": the whole server. */
    readonly service: string;
    /** A gRPC status besides 0 that is taken for healthy. */
    readonly status: number | undefined;
  };
  readonly keepAliveMs: number;
}

const MAX_PORT = 65535;
const count: Parameter<number> = {
  hasValue: true,
  fallback: 1,
  parse: (text) => number.parse(text) || undefined,
};
const port: Parameter<number | undefined> = {
  hasValue: true,
  fallback: undefined,
  parse: (text) => {
    const value = number.parse(text);
    return value === 0 || (value ?? 0) > MAX_PORT ? undefined : value;
  },
};

/** Status codes of gRPC end here (`UNAUTHENTICATED`). */
const MAX_GRPC_STATUS = 16;
const grpcStatus: Parameter<number | undefined> = {
  hasValue: true,
  fallback: undefined,
  parse: (text) => {
    const value = number.parse(text);
    return value === 0 || (value ?? 0) > MAX_GRPC_STATUS ? undefined : value;
  },
};
const TYPES: readonly string[] = ["http", "tcp", "grpc"] satisfies HealthCheckType[];

const PARAMETERS = {
  interval: valued(milliseconds, undefined, HEALTH_DEFAULTS.intervalMs),
  jitter: valued(milliseconds, undefined, HEALTH_DEFAULTS.jitterMs),
  fails: count,
  passes: count,
  uri: valued(word),
  port,
  mandatory: present,
  persistent: present,
  match: valued(word),
  type: valued(word, undefined, "http"),
  keepalive_time: valued(milliseconds, undefined, 0),
  grpc_service: valued(word, undefined, ""),
  grpc_status: grpcStatus,
};

function parseHealthCheck(use: Use): HealthCheckLine | undefined {
  const values = readParameters(use, PARAMETERS);
  if (values === undefined) return undefined;
  const { uri, match } = values;
  const type = values.type as HealthCheckType;
  if (!TYPES.includes(type)) return use.fail(`invalid parameter "type=${type}"`);
  const misplaced = misplacedOf(use.args);
  if (misplaced !== undefined) return use.fail(`invalid parameter "${misplaced}"`);
  if (type === "tcp" && (uri !== undefined || match !== undefined || values.keepalive_time > 0))
    return use.fail('"type=tcp" cannot be used with "uri", "match" or "keepalive_time"');
  if (type === "grpc" && (uri !== undefined || match !== undefined))
    return use.fail('"type=grpc" cannot be used with "uri" or "match"');
  if (values.persistent && !values.mandatory) return use.fail('"persistent" requires "mandatory"');
  if (uri !== undefined && !uri.startsWith("/")) return use.fail(`invalid parameter "uri=${uri}"`);
  return {
    intervalMs: values.interval,
    jitterMs: values.jitter,
    fails: values.fails,
    passes: values.passes,
    mandatory: values.mandatory,
    persistent: values.persistent,
    uri: uri ?? "/",
    port: values.port,
    match,
    type,
    grpc: { service: values.grpc_service, status: values.grpc_status },
    keepAliveMs: values.keepalive_time,
  };
}

/** `type=grpc` stands behind all others but its own two, which stand nowhere else. */
function misplacedOf(args: readonly string[]): string | undefined {
  const at = args.indexOf("type=grpc");
  return args.find((text, i) => i !== at && text.startsWith("grpc_") !== (at >= 0 && i > at));
}

/** A `match` block and its name. */
interface MatchBlock {
  readonly name: string;
  readonly tests: MatchTests;
}

function parseMatch(use: Use): MatchBlock | undefined {
  const statuses: StatusTest[] = [];
  const headers: HeaderTest[] = [];
  const bodies: BodyTest[] = [];
  const requires: string[] = [];
  let isWhole = true;
  const keep = <T>(to: T[], one: T | undefined): void => {
    if (one === undefined) isWhole = false;
    else to.push(one);
  };
  for (const entry of use.entries) {
    if (entry.name === "status") keep(statuses, parseStatus(entry));
    else if (entry.name === "header") keep(headers, parseHeader(entry));
    else if (entry.name === "body") keep(bodies, parseBody(entry));
    else if (entry.name === "require") for (const text of entry.args) keep(requires, parseRequired(entry, text));
    else keep(requires, entry.fail(`unknown directive "${entry.name}"`));
  }
  return isWhole ? { name: use.args[0] as string, tests: { statuses, headers, bodies, requires } } : undefined;
}

const MIN_STATUS = 100;
const MAX_STATUS = 599;

function parseStatus(entry: Use): StatusTest | undefined {
  const negated = entry.args[0] === "!";
  const words = negated ? entry.args.slice(1) : entry.args;
  if (words.length === 0) return entry.invalidArity();
  const ranges: (readonly [number, number])[] = [];
  for (const text of words) {
    const match = /^(\d{3})(?:-(\d{3}))?$/.exec(text);
    const from = Number(match?.[1]);
    const to = Number(match?.[2] ?? match?.[1]);
    if (match === null || from < MIN_STATUS || to > MAX_STATUS || from > to)
      return entry.fail(`invalid status "${text}"`);
    ranges.push([from, to]);
  }
  return { negated, ranges };
}

function parseHeader(entry: Use): HeaderTest | undefined {
  const [first = "", second, third] = entry.args;
  if (entry.args.length === 2 && first === "!")
    return { name: (second as string).toLowerCase(), kind: "there", negated: true };
  if (entry.args.length === 1 && first !== "!") return { name: first.toLowerCase(), kind: "there", negated: false };
  if (entry.args.length !== 3) return entry.invalidArity();
  const name = first.toLowerCase();
  const value = third as string;
  if (second === "=" || second === "!=") return { name, kind: "equal", negated: second === "!=", value };
  if (second !== "~" && second !== "!~") return entry.fail(`invalid parameter "${second}"`);
  const pattern = parseRegExp(entry, value);
  return pattern === undefined ? undefined : { name, kind: "matches", negated: second === "!~", pattern };
}

function parseBody(entry: Use): BodyTest | undefined {
  const [operator, text] = entry.args;
  if (entry.args.length !== 2) return entry.invalidArity();
  if (operator !== "~" && operator !== "!~") return entry.fail(`invalid parameter "${operator}"`);
  const pattern = parseRegExp(entry, text as string);
  return pattern === undefined ? undefined : { negated: operator === "!~", pattern };
}

/** Captures have no names here: nobody could read them. */
function parseRegExp(entry: Use, source: string): RegExp | undefined {
  const translated = translatePattern(source, false);
  if (translated.ok) return translated.value.regexp;
  return entry.fail(`pcre2_compile() failed: ${translated.reason} in "${source}"`);
}

function parseRequired(entry: Use, text: string): string | undefined {
  const parsed = entry.template(text);
  if (parsed === undefined) return undefined;
  const [part] = parsed.parts;
  const isVariable = parsed.parts.length === 1 && typeof part === "object" && part.kind === "variable";
  return isVariable ? part.name : entry.fail(`invalid variable name "${text}"`);
}

const directives = {
  health_check: list(parseHealthCheck, {
    in: "location",
    args: [0, Number.POSITIVE_INFINITY],
    inherit: "none",
    syntax:
      "[interval=time] [jitter=time] [fails=number] [passes=number] [uri=uri] [port=number] [mandatory [persistent]] " +
      "[match=name] [keepalive_time=time] [type=http | tcp | grpc [grpc_service=name] [grpc_status=code]]",
    doc: "Asks the servers of the location's upstream again and again how they are; those that fail get no requests.",
  }),
  match: list(parseMatch, {
    in: "http",
    args: 1,
    block: true,
    inherit: "none",
    syntax: "name { status | header | body | require ... }",
    doc: "Tests that the answer to a health check has to pass.",
  }),
};

export const healthCheck = httpModule({
  name: "upstream_hc",
  directives,
  check(_conf, { scope, own }, report) {
    if (own.match !== undefined) checkNames(own.match, scope, report);
    if (own.health_check !== undefined) checkLines(own.health_check, scope, report);
  },
});

function checkNames(blocks: readonly MatchBlock[], scope: Scope, report: Report): void {
  const positions = scope.origin(healthCheck, "match")?.positions;
  blocks.forEach(({ name }, index) => {
    if (blocks.findIndex((other) => other.name === name) < index)
      report("emerg", `duplicate match "${name}"`, positions?.[index]);
  });
}

/** What a check needs around it: an upstream with a block and a zone, and its `match`. */
function checkLines(lines: readonly HealthCheckLine[], scope: Scope, report: Report): void {
  const positions = scope.origin(healthCheck, "health_check")?.positions;
  const http = httpOf(scope);
  const found = upstreamOf(scope);
  lines.forEach(({ match }, index) => {
    const say = (message: string): void => report("emerg", message, positions?.[index]);
    if (found === undefined) say('"health_check" needs a "proxy_pass" to an upstream in its location');
    else if (found.own(upstreamZone).zone === undefined)
      say(`"health_check" needs a "zone" in upstream "${found.directive?.args[0]?.text ?? ""}"`);
    if (match !== undefined && testsOf(http, match) === undefined) say(`match "${match}" is not defined`);
  });
}

function httpOf(scope: Scope): Scope {
  let http = scope;
  while (http.context !== "http" && http.parent !== undefined) http = http.parent;
  return http;
}

/** The tests of the `match` block of this name. */
export function testsOf(scope: Scope, name: string): MatchTests | undefined {
  return httpOf(scope)
    .conf(healthCheck)
    .match.find((block) => block.name === name)?.tests;
}

/** How the health checks of an upstream begin, all together; undefined when it has none. */
export function checksOf(block: Scope): Pick<HealthSettings, "mandatory" | "persistent"> | undefined {
  const lines = linesFor(httpOf(block), block);
  if (lines.length === 0) return undefined;
  const mandatory = lines.filter((line) => line.mandatory);
  return { mandatory: mandatory.length > 0, persistent: mandatory.every((line) => line.persistent) };
}

function linesFor(scope: Scope, block: Scope): readonly HealthCheckLine[] {
  const own = scope.own(healthCheck).health_check;
  const here = own !== undefined && upstreamOf(scope) === block ? own : [];
  return [...here, ...scope.children.flatMap((child) => linesFor(child, block))];
}

/** The block of the upstream that the location passes requests to, if it names one. */
export function upstreamOf(scope: Scope): Scope | undefined {
  const pass = scope.own(proxy).proxy_pass;
  if (pass?.kind !== "fixed") return undefined;
  const name = pass.address.host.toLowerCase();
  return httpOf(scope)
    .conf(upstream)
    .upstream.find(({ header }) => header.toLowerCase() === name)?.scope;
}
