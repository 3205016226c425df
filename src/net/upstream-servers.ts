/** `server` lines of an upstream, the same for every service. nginx: ngx_http_upstream_server, ngx_stream_upstream_server. */
import type { PeerSettings } from "../balance/peers.ts";
import { type Position, printPosition } from "../conf/diagnostics.ts";
import type { Directive } from "../conf/directive.ts";
import { type Parameter, present, readParameters, valued } from "../conf/parameters.ts";
import type { Scope } from "../conf/scope.ts";
import type { Report, Use } from "../conf/slot.ts";
import { parseNumber } from "../conf/units.ts";
import { milliseconds, number, seconds } from "../conf/values.ts";
import type { Endpoint } from "../io/stream.ts";
import { endpointsOf, parseUpstreamAddress } from "./upstream-address.ts";

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

/** Parameters of every service's servers. */
const PARAMETERS = {
  weight: positive,
  max_conns: valued(number, undefined, 0),
  max_fails: valued(number, undefined, 1),
  fail_timeout: valued(seconds, undefined, 10),
  slow_start: valued(milliseconds, undefined, 0),
  resolve: present,
  service,
  backup: present,
  down: present,
};
/** Those of servers that sessions stay with. */
const STICKY_PARAMETERS = { ...PARAMETERS, route, drain: present };

/** Reads a `server` that has a usual port, and whose sessions may stay with it. */
export function parseStickyServer(use: Use, usualPort: number): UpstreamServer | undefined {
  const values = readParameters(use, STICKY_PARAMETERS, { from: 1 });
  return values === undefined ? undefined : serverOf(use, values, usualPort);
}

/** Reads a `server` that has to name its port. */
export function parseServer(use: Use): UpstreamServer | undefined {
  const values = readParameters(use, PARAMETERS, { from: 1 });
  return values === undefined ? undefined : serverOf(use, { ...values, route: "", drain: false }, undefined);
}

type Values = NonNullable<ReturnType<typeof readParameters<typeof STICKY_PARAMETERS>>>;

function serverOf(use: Use, values: Values, usualPort: number | undefined): UpstreamServer | undefined {
  const address = serverAddress(use, values, usualPort);
  if (address === undefined) return undefined;
  return {
    name: use.args[0] as string,
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

/** There is no usual port: an address without one is told apart by `noPort`. */
const ANY_PORT = 1;

/** Where the server is: at addresses that are known now, or at those that its name has from time to time. */
function serverAddress(
  use: Use,
  { resolve, service }: { readonly resolve: boolean; readonly service: string },
  usualPort: number | undefined,
): Pick<UpstreamServer, "endpoints" | "resolve"> | undefined {
  const name = use.args[0] as string;
  if (service !== "" && !resolve) return use.fail(`service upstream "${name}" requires "resolve" parameter`);
  const address = parseUpstreamAddress(name, usualPort ?? ANY_PORT, false);
  if (typeof address === "string") return use.fail(`${address} in upstream "${name}"`);
  const { host, port, noPort } = address;
  if (usualPort === undefined && noPort && service === "" && !host.startsWith("unix:"))
    return use.fail(`no port in upstream "${name}"`);
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

/**
 * For balancing methods without backup servers: those that stand behind their directive are refused, as nginx does. `slow_start`
 * means nothing to these methods either, wherever the server stands.
 */
export function refuseParameters(
  servers: readonly UpstreamServer[],
  positions: readonly Position[] | undefined,
  order: number | undefined,
  report: Report,
): void {
  if (order === undefined) return;
  servers.forEach((server, index) => {
    const word =
      server.settings.slowStartMs > 0 ? "slow_start" : server.backup && server.order > order ? "backup" : undefined;
    if (word === undefined) return;
    report("emerg", `balancing method does not support parameter "${word}"`, positions?.[index]);
  });
}

/** Directives that choose the method; the last one holds. */
const METHODS: ReadonlySet<string> = new Set(["hash", "ip_hash", "least_conn", "least_time", "random"]);

/** A method that is named when there is one already, or `sticky` on top of one, is worth nginx's warning. */
export function warnRedefined(directives: readonly Directive[], isSet: boolean, report: Report): boolean {
  let set = isSet;
  for (const { name, end, sources } of directives) {
    if (METHODS.has(name) && set) report("warn", "load balancing method redefined", end);
    if (METHODS.has(name) || name === "sticky") set = true;
    for (const source of sources ?? []) set = warnRedefined(source.directives, set, report);
  }
  return set;
}

/** What nginx finds when it sets up the upstream of a block. */
export function checkServers(
  block: Scope,
  {
    name,
    servers,
    hasZone,
    hasResolver,
    hasState,
  }: {
    readonly name: string;
    readonly servers: readonly UpstreamServer[];
    readonly hasZone: boolean;
    readonly hasResolver: boolean;
    /** Its servers may come from a file. */
    readonly hasState: boolean;
  },
  report: Report,
): void {
  const position = block.directive?.end as Position;
  if (servers.some(({ resolve }) => resolve !== undefined)) {
    if (!hasZone) {
      const place = `upstream "${name}" in ${printPosition(position)}`;
      report("emerg", `resolving names at run time requires ${place} to be in shared memory`);
    } else if (!hasResolver)
      report("emerg", `no resolver defined to resolve names at run time in upstream "${name}"`, position);
  }
  if (!hasState && servers.every(({ backup }) => backup)) report("emerg", `no servers in upstream "${name}"`, position);
}
