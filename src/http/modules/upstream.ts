/** `upstream` blocks: their servers and the connections that are kept to them. nginx: ngx_http_upstream_module, ngx_http_upstream_keepalive_module. */
import { readParameters, valued } from "../../conf/parameters.ts";
import type { Scope } from "../../conf/scope.ts";
import type { ConfOf, Report, Use } from "../../conf/slot.ts";
import { blocks, list, msec, num, path, raw } from "../../conf/slots.ts";
import { parseNumber } from "../../conf/units.ts";
import { milliseconds } from "../../conf/values.ts";
import type { ResolverSettings } from "../../net/resolver.ts";
import { parseResolver } from "../../net/resolver-directive.ts";
import {
  checkServers,
  parseStickyServer,
  refuseParameters,
  type UpstreamServer,
  warnRedefined,
} from "../../net/upstream-servers.ts";
import { httpModule } from "../module.ts";
import type { KeepAliveSettings } from "../upstream-group.ts";
import type { QueueSettings } from "../upstream-queue.ts";
import { UPSTREAM_PREFIXES, UPSTREAM_VARIABLES } from "../upstream-variables.ts";
import { core } from "./core.ts";
import { upstreamZone } from "./upstream_zone.ts";

const HTTP_PORT = 80;
/** nginx's answer to a file that says nothing of keep-alive. */
const STANDARD_IDLE = 32;

/** Reads a `server` line. */
const parseHttpServer = (use: Use): UpstreamServer | undefined => parseStickyServer(use, HTTP_PORT);

/** `keepalive`: how many idle connections, and whether a location uses only those that it has made. */
interface KeepAliveLine {
  readonly maxIdle: number;
  readonly local: boolean;
}

function parseKeepAlive(use: Use): KeepAliveLine | undefined {
  const [count = "", word] = use.args;
  const maxIdle = parseNumber(count);
  if (maxIdle === undefined) return use.fail(`invalid value "${count}" in "keepalive" directive`);
  if (word !== undefined && word !== "local") return use.fail(`invalid parameter "${word}"`);
  return { maxIdle, local: word !== undefined };
}

const STANDARD_QUEUE_MS = 60_000;

function parseQueue(use: Use): QueueSettings | undefined {
  const [count = ""] = use.args;
  const limit = parseNumber(count);
  if (limit === undefined || limit === 0) return use.fail(`invalid value "${count}" in "queue" directive`);
  const values = readParameters(use, { timeout: valued(milliseconds, undefined, STANDARD_QUEUE_MS) }, { from: 1 });
  return values === undefined ? undefined : { limit, timeoutMs: values.timeout };
}

const directives = {
  upstream: blocks({ http: "upstream" }, (use) => use.args[0], {
    args: 1,
    syntax: "name",
    doc: "A group of servers that requests are balanced over.",
  }),
  server: list(parseHttpServer, {
    in: "upstream",
    args: [1, Number.POSITIVE_INFINITY],
    inherit: "none",
    syntax: "address [parameters]",
    doc: "A server of the group, and what is special about it.",
  }),
  resolver: raw<ResolverSettings, undefined>(undefined, parseResolver, {
    in: "upstream",
    args: [1, Number.POSITIVE_INFINITY],
    syntax: "address ... [valid=time] [ipv4=on|off] [ipv6=on|off]",
    doc: "Name servers that are asked for the names of its servers; without it those of the http block.",
  }),
  resolver_timeout: msec(undefined, { in: "upstream", doc: "Time for the answer to a name." }),
  keepalive: raw<KeepAliveLine, KeepAliveLine>({ maxIdle: STANDARD_IDLE, local: true }, parseKeepAlive, {
    in: "upstream",
    args: [1, 2],
    syntax: "connections [local]",
    defaultText: "32 local",
    doc: "Idle connections that a worker keeps; 0 keeps none.",
  }),
  state: path(undefined, {
    in: "upstream",
    inherit: "none",
    base: "conf",
    doc: "A file with the servers of the group, instead of `server` lines here. It need not exist; it is read at start and at each reload.",
  }),
  queue: raw<QueueSettings, undefined>(undefined, parseQueue, {
    in: "upstream",
    args: [1, 2],
    inherit: "none",
    syntax: "number [timeout=time]",
    doc: "Requests that may wait in each worker when no server can be chosen, and how long (60s).",
  }),
  keepalive_requests: num(1000, { in: "upstream", doc: "Requests of one kept connection." }),
  keepalive_time: msec("1h", { in: "upstream", doc: "Age at which a connection is no longer kept." }),
  keepalive_timeout: msec("60s", { in: "upstream", doc: "Time that an idle connection is kept." }),
};

type UpstreamConf = ConfOf<typeof directives>;

/** When the connections of an upstream are kept; undefined when they are not. */
export function keepAliveOf(conf: UpstreamConf): KeepAliveSettings | undefined {
  const { maxIdle, local } = conf.keepalive;
  if (maxIdle === 0) return undefined;
  return {
    maxIdle,
    local,
    requests: conf.keepalive_requests,
    timeMs: conf.keepalive_time,
    timeoutMs: conf.keepalive_timeout,
  };
}

/** For balancing methods without backup servers: see `refuseParameters` of the servers. */
export function refuseMethodParameters(scope: Scope, order: number | undefined, report: Report): void {
  refuseParameters(scope.conf(upstream).server, scope.origin(upstream, "server")?.positions, order, report);
}

/** With `state` there are no servers but those of its file, and nothing else is in that. */
function checkState(scope: Scope, report: Report): void {
  const directives = scope.directive?.block?.directives ?? [];
  const state = directives.find(({ name }) => name === "state");
  if (state === undefined) return;
  const server = directives.find(({ name }) => name === "server");
  if (server !== undefined) report("emerg", '"server" cannot be used along with "state"', server.end);
  for (const { name, end } of state.sources?.flatMap((source) => source.directives) ?? [])
    if (name !== "server") report("emerg", `"${name}" cannot stand in the file of "state"`, end);
}

function checkBlock(name: string, block: Scope, report: Report): void {
  const { server: servers, resolver, state } = block.conf(upstream);
  const found = {
    name,
    servers,
    hasZone: block.conf(upstreamZone).zone !== undefined,
    hasResolver: (resolver ?? block.parent?.conf(core).resolver) !== undefined,
    hasState: state !== undefined,
  };
  checkServers(block, found, report);
}

export const upstream = httpModule({
  name: "upstream",
  directives,
  variables: UPSTREAM_VARIABLES,
  prefixes: UPSTREAM_PREFIXES,
  check(_conf, { scope, own }, report) {
    if (scope.context === "upstream") {
      warnRedefined(scope.directive?.block?.directives ?? [], false, report);
      checkState(scope, report);
    }
    const seen = new Set<string>();
    for (const { header, scope: block } of scope.context === "http" ? (own.upstream ?? []) : []) {
      const name = header.toLowerCase();
      if (seen.has(name)) report("emerg", `duplicate upstream "${header}"`, block.directive?.end);
      seen.add(name);
      const { server, state } = block.own(upstream);
      if (server === undefined && state === undefined)
        report("emerg", "no servers are inside upstream", block.directive?.block?.end);
      else checkBlock(header, block, report);
    }
  },
});
