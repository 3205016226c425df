/** `upstream` blocks: their servers and the connections that are kept to them. nginx: ngx_http_upstream_module, ngx_http_upstream_keepalive_module. */
import type { PeerSettings } from "../../balance/peers.ts";
import { type Position, printPosition } from "../../conf/diagnostics.ts";
import type { Directive } from "../../conf/directive.ts";
import { type Parameter, present, readParameters, valued } from "../../conf/parameters.ts";
import type { Scope } from "../../conf/scope.ts";
import type { ConfOf, Report, Use } from "../../conf/slot.ts";
import { blocks, list, msec, num, path, raw } from "../../conf/slots.ts";
import { parseNumber } from "../../conf/units.ts";
import { milliseconds, number, seconds } from "../../conf/values.ts";
import type { Endpoint } from "../../io/stream.ts";
import type { ResolverSettings } from "../../net/resolver.ts";
import { httpModule } from "../module.ts";
import { parseResolver } from "../resolver-directive.ts";
import { endpointsOf, parseUpstreamAddress } from "../upstream-address.ts";
import type { KeepAliveSettings } from "../upstream-group.ts";
import type { QueueSettings } from "../upstream-queue.ts";
import { UPSTREAM_PREFIXES, UPSTREAM_VARIABLES } from "../upstream-variables.ts";
import { core } from "./core.ts";
import { upstreamZone } from "./upstream_zone.ts";

const HTTP_PORT = 80;
/** nginx's answer to a file that says nothing of keep-alive. */
const STANDARD_IDLE = 32;

/** A name that is resolved at run time: `resolve`. */
export interface NamedHost {
  readonly host: string;
  readonly port: number;
  /** `service=`: its SRV records say which hosts and ports; "" for an ordinary name. */
  readonly service: string;
}

/** One `server` of an upstream. */
export interface UpstreamServer {
  /** Address as it was written. */
  readonly name: string;
  /** None when its name is resolved at run time. */
  readonly endpoints: readonly Endpoint[];
  readonly resolve: NamedHost | undefined;
  readonly settings: Omit<PeerSettings, "name" | "server" | "health">;
  readonly backup: boolean;
  readonly order: number;
}

const positive: Parameter<number> = {
  hasValue: true,
  fallback: 1,
  parse: (text) => {
    const value = parseNumber(text);
    return value === 0 ? undefined : value;
  },
};

/** As long as the digest that names a server without `route`. */
const MAX_ROUTE = 32;
const route: Parameter<string> = {
  hasValue: true,
  fallback: "",
  parse: (text) => (text === "" || text.length > MAX_ROUTE ? undefined : text),
  complain: (text) => (text === "" ? "route is empty" : `route is longer than ${MAX_ROUTE}`),
};

const service: Parameter<string> = {
  hasValue: true,
  fallback: "",
  parse: (text) => (text === "" ? undefined : text),
  complain: () => "service is empty",
};

const PARAMETERS = {
  weight: positive,
  max_conns: valued(number, undefined, 0),
  max_fails: valued(number, undefined, 1),
  fail_timeout: valued(seconds, undefined, 10),
  slow_start: valued(milliseconds, undefined, 0),
  route,
  resolve: present,
  service,
  backup: present,
  down: present,
  drain: present,
};

function parseServer(use: Use): UpstreamServer | undefined {
  const name = use.args[0] as string;
  const values = readParameters(use, PARAMETERS, { from: 1 });
  if (values === undefined) return undefined;
  const address = serverAddress(use, values);
  if (address === undefined) return undefined;
  return {
    name,
    ...address,
    settings: {
      weight: values.weight,
      maxConns: values.max_conns,
      maxFails: values.max_fails,
      failTimeoutS: values.fail_timeout,
      slowStartMs: values.slow_start,
      ...outOfRotation(use),
      route: values.route,
    },
    backup: values.backup,
    order: use.order,
  };
}

/** Where the server is: at addresses that are known now, or at those that its name has from time to time. */
function serverAddress(
  use: Use,
  { resolve, service }: { readonly resolve: boolean; readonly service: string },
): Pick<UpstreamServer, "endpoints" | "resolve"> | undefined {
  const name = use.args[0] as string;
  if (service !== "" && !resolve) return use.fail(`service upstream "${name}" requires "resolve" parameter`);
  const address = parseUpstreamAddress(name, HTTP_PORT, false);
  if (typeof address === "string") return use.fail(`${address} in upstream "${name}"`);
  const { host, port, noPort } = address;
  if (service !== "" && !noPort) return use.fail(`service upstream "${name}" may not have port`);
  if (service !== "" && address.endpoints !== undefined)
    return use.fail(`service upstream "${name}" requires domain name`);
  if (resolve && address.endpoints === undefined) return { endpoints: [], resolve: { host, port, service } };
  const endpoints = endpointsOf(address, use.environment.lookUp);
  if (endpoints === undefined) return use.fail(`host not found in upstream "${name}"`);
  return { endpoints, resolve: undefined };
}

/** Of `down` and `drain` the last one counts. */
function outOfRotation({ args }: Use): Pick<PeerSettings, "down" | "drain"> {
  const last = args.findLast((text) => text === "down" || text === "drain");
  return { down: last === "down", drain: last === "drain" };
}

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
  server: list(parseServer, {
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

/**
 * For balancing methods without backup servers: those that stand behind their directive are refused, as nginx does. `slow_start`
 * means nothing to these methods either, wherever the server stands.
 */
export function refuseParameters(scope: Scope, order: number | undefined, report: Report): void {
  if (order === undefined) return;
  const positions = scope.origin(upstream, "server")?.positions;
  scope.conf(upstream).server.forEach((server, index) => {
    const word =
      server.settings.slowStartMs > 0 ? "slow_start" : server.backup && server.order > order ? "backup" : undefined;
    if (word === undefined) return;
    report("emerg", `balancing method does not support parameter "${word}"`, positions?.[index]);
  });
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

/** Directives that choose the method; the last one holds. */
const METHODS: ReadonlySet<string> = new Set(["hash", "ip_hash", "least_conn", "least_time", "random"]);

/** A method that is named when there is one already, or `sticky` on top of one, is worth nginx's warning. */
function warnRedefined(directives: readonly Directive[], isSet: boolean, report: Report): boolean {
  let set = isSet;
  for (const { name, end, sources } of directives) {
    if (METHODS.has(name) && set) report("warn", "load balancing method redefined", end);
    if (METHODS.has(name) || name === "sticky") set = true;
    for (const source of sources ?? []) set = warnRedefined(source.directives, set, report);
  }
  return set;
}

/** What nginx finds when it sets up the upstream. */
function checkServers(name: string, block: Scope, report: Report): void {
  const { server, resolver, state } = block.conf(upstream);
  const position = block.directive?.end as Position;
  if (server.some(({ resolve }) => resolve !== undefined)) {
    if (block.conf(upstreamZone).zone === undefined) {
      const place = `upstream "${name}" in ${printPosition(position)}`;
      report("emerg", `resolving names at run time requires ${place} to be in shared memory`);
    } else if ((resolver ?? block.parent?.conf(core).resolver) === undefined)
      report("emerg", `no resolver defined to resolve names at run time in upstream "${name}"`, position);
  }
  if (state === undefined && server.every(({ backup }) => backup))
    report("emerg", `no servers in upstream "${name}"`, position);
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
      else checkServers(header, block, report);
    }
  },
});
