/**
 * Bound configuration → what requests run through: virtual servers, locations with their phases, listening points.
 * Everything a request does not need to decide again is decided here. nginx: ngx_http_block and ngx_http_optimize_servers.
 */
import type { Log } from "../base/log.ts";
import type { Scope } from "../conf/scope.ts";
import { constantOf } from "../conf/template.ts";
import { noKey } from "../net/balanced-group.ts";
import { Captures } from "../net/captures.ts";
import type { AddressPlan } from "../net/listening-plan.ts";
import { displayName, ServerNames } from "../net/server-names.ts";
import { defineUpstreams } from "../net/upstream-blocks.ts";
import { Upstreams } from "../net/upstreams.ts";
import type { Variables } from "../net/variables.ts";
import type { HeadLimits } from "../wire/http1/head-results.ts";
import { earlyReader } from "./early-body.ts";
import { ANSWERED_WITH_400 } from "./engine.ts";
import { fileCacheOf, fileUseOf } from "./file-directives.ts";
import { serverOfHead } from "./head-rules.ts";
import { type HealthCheck, HealthChecks } from "./health-checks.ts";
import { healthCheckOf } from "./health-rules.ts";
import {
  type ErrorPage,
  type Handler,
  type HeaderFilter,
  type KeepAliveRules,
  type ListeningPoint,
  type Location,
  PHASES,
  type VirtualServer,
} from "./location.ts";
import { LocationTree, type RegexLocation, type StaticLocation } from "./location-tree.ts";
import type { HttpModule, Place } from "./module.ts";
import { type CoreConf, core, coreServer, httpMain, type LocationHeader, type RootPath } from "./modules/core.ts";
import { checksOf, healthCheck } from "./modules/upstream_hc.ts";
import type { HttpPlan } from "./plan.ts";
import type { Request } from "./request.ts";
import { type UpstreamParts, upstreamBlocks } from "./upstream-blocks.ts";
import { Upstream } from "./upstream-group.ts";
import { cacheLinesOf } from "./upstream-modules.ts";
import type { Matcher, Text } from "./variables.ts";
import type { Worker } from "./worker.ts";

/** Where files of a location are, inherited as a whole. */
interface Root {
  readonly path: RootPath;
  readonly alias: number;
}

/** What a location is called. */
interface Naming {
  readonly name: string;
  readonly header: LocationHeader | undefined;
}

export class Builder {
  private readonly modules: readonly HttpModule[];
  private readonly variables: Variables<Request>;
  private readonly worker: Worker;
  private readonly logs = new Map<unknown, Log>();
  /** Of the server that is being built. */
  private takesConnect = false;
  /** Locations with health checks. */
  private readonly checked: { readonly place: Place; readonly location: Location }[] = [];

  constructor(modules: readonly HttpModule[], variables: Variables<Request>, worker: Worker) {
    this.modules = modules;
    this.variables = variables;
    this.worker = worker;
  }

  /** The points of every address, in the order of `plan.addresses`. */
  build(plan: HttpPlan): readonly ListeningPoint[] {
    this.defineVariables(plan.http);
    this.worker.caches.open(cacheLinesOf(plan.http), this.worker.ports);
    this.worker.upstreams = this.upstreamsOf(plan.http);
    const servers = new Map<Scope, VirtualServer>();
    for (const { scope } of plan.http.conf(httpMain).server) servers.set(scope, this.buildServer(scope));
    this.worker.health = new HealthChecks(this.worker, this.healthPlans(servers));
    return plan.addresses.map((address) => this.buildPoint(address, servers));
  }

  private upstreamsOf(http: Scope): Upstreams<Upstream> {
    const { worker } = this;
    const { ports, resolvers, timers, log } = worker;
    const blocks = upstreamBlocks(http, worker, (scope) => this.upstreamParts(scope));
    const { shared, reactor } = ports;
    const defined = defineUpstreams(blocks, { shared, resolvers, timers, clock: reactor.clock, log });
    const none = { keyOf: noKey, keepAlive: undefined, sticky: undefined, queue: undefined };
    return new Upstreams(defined, (balancer, members) => new Upstream(balancer, members, none));
  }

  /** Before anything else is compiled: what follows may use them. */
  private defineVariables(http: Scope): void {
    const definitions = this.collect((module) => module.definitions?.(http.conf(module))).flat();
    this.variables.define(definitions, this.outerPlace(http));
  }

  /** A place outside of all servers. */
  private outerPlace(scope: Scope): Place {
    return this.place(scope, "", { path: scope.conf(core).root as RootPath, alias: 0 }, new Map());
  }

  private healthPlans(servers: ReadonlyMap<Scope, VirtualServer>): readonly (() => HealthCheck)[] {
    return this.checked.flatMap(({ place, location }) => {
      let { scope } = place;
      while (scope.context !== "server" && scope.parent !== undefined) scope = scope.parent;
      const server = servers.get(scope) as VirtualServer;
      const { health_check: lines } = place.scope.conf(healthCheck);
      return lines.map((line) => () => healthCheckOf(line, { place, server, location }));
    });
  }

  private upstreamParts(scope: Scope): UpstreamParts {
    const place = this.outerPlace(scope);
    return {
      balancers: this.collect((module) => module.balancer?.(scope.conf(module), place)),
      sticky: this.first((module) => module.sticky?.(scope.conf(module), place)),
      health: checksOf(scope),
    };
  }

  private buildPoint(address: AddressPlan, servers: ReadonlyMap<Scope, VirtualServer>): ListeningPoint {
    const defaultServer = servers.get(address.defaultServer) as VirtualServer;
    const names = new ServerNames<Request, VirtualServer>();
    let isNamed = false;
    for (const scope of address.servers) {
      const server = servers.get(scope) as VirtualServer;
      for (const { name, pattern } of scope.conf(coreServer).server_name) {
        const matches = pattern === undefined ? undefined : this.matcher(pattern.regexp, pattern.names);
        names.add({ name, server, matches });
        if (matches !== undefined) isNamed = true;
      }
    }
    const byHost = isNamed || address.servers.length > 1 ? names : undefined;
    return {
      name: address.name,
      defaultServer,
      names: byHost,
      limits: this.limitsOf(
        defaultServer,
        address.servers.map((scope) => servers.get(scope) as VirtualServer),
        byHost,
      ),
      proxyProtocol: address.proxyProtocol,
    };
  }

  /** Bounds of request heads: those of the default server until the host has come. */
  private limitsOf(
    defaultServer: VirtualServer,
    servers: readonly VirtualServer[],
    names: ServerNames<Request, VirtualServer> | undefined,
  ): HeadLimits {
    const { worker } = this;
    const limits = new Map(servers.map((server) => [server, this.ownLimits(server)]));
    const first = limits.get(defaultServer) as HeadLimits;
    const isSame = [...limits.values()].every((one) =>
      (Object.keys(one) as (keyof HeadLimits)[]).every((key) => key === "onIgnored" || one[key] === first[key]),
    );
    if (isSame) return first;
    const choose = (): HeadLimits =>
      limits.get(serverOfHead(worker.parsing as Request, { defaultServer, names })) as HeadLimits;
    return { ...first, choose };
  }

  private ownLimits({ conf, location }: VirtualServer): HeadLimits {
    const { log } = location;
    return {
      bufferSize: conf.client_header_buffer_size,
      largeBuffers: conf.large_client_header_buffers.number,
      largeBufferSize: conf.large_client_header_buffers.size,
      maxHeaders: conf.max_headers,
      underscores: conf.underscores_in_headers,
      ignoreInvalid: conf.ignore_invalid_headers,
      onIgnored: log.enabled("info") ? (line) => this.worker.reading?.logIgnored(line) : undefined,
      choose: undefined,
    };
  }

  private buildServer(scope: Scope): VirtualServer {
    const conf = scope.conf(coreServer);
    const named = new Map<string, Location>();
    this.takesConnect = false;
    const first = conf.server_name[0];
    const name = first === undefined ? "" : displayName(first.name);
    const location = this.buildLocation(scope, { name: "", header: undefined }, undefined, named);
    const early = conf.client_body_early_read?.map((text) => this.variables.compile(text));
    const readsBody = early === undefined ? undefined : earlyReader(early);
    return { name, conf, location, named, readsBody, takesConnect: this.takesConnect };
  }

  private buildLocation(scope: Scope, naming: Naming, outer: Root | undefined, named: Map<string, Location>): Location {
    const conf = scope.conf(core);
    const root = this.rootOf(scope, naming, outer);
    const { header } = naming;
    const place = this.place(scope, naming.name, root, named);
    const filters = this.headerFiltersOf(scope, place);
    const location: Location = {
      scope,
      name: naming.name,
      noName: header === undefined,
      named: header?.kind === "named",
      exact: header?.kind === "exact",
      noRegex: header?.kind === "noRegex",
      internal: conf.internal,
      core: conf,
      log: this.logOf(conf.error_log),
      phases: PHASES.map((phase) => this.handlersOf(phase, scope, place)),
      contentHandler: this.first((module) => module.contentHandler?.(scope.conf(module), place)),
      headerFilters: filters.map(({ filter }) => filter),
      subrequestFilters: filters.filter(({ forSubrequests }) => forSubrequests).map(({ filter }) => filter),
      logHandlers: this.collect((module) => module.log?.(scope.conf(module), place)),
      prepared: this.preparedOf(scope, place),
      inner: this.innerOf(scope, root, named),
      limitExcept: undefined,
      errorPages: this.errorPagesOf(scope),
      root: this.variables.compile(root.path.template),
      constantRoot: constantOf(root.path.template),
      prefix: root.path.prefix,
      alias: root.alias,
      fileCache: fileCacheOf(conf),
      symlinks: this.symlinksOf(conf),
      fileUse: fileUseOf(conf),
      lastHead: { written: undefined, misses: 0 },
      keepAliveRules: keepAliveRules(conf),
      limitRate: conf.limit_rate === undefined ? undefined : this.variables.compile(conf.limit_rate),
      earlyHints: conf.early_hints?.map((text) => this.variables.compile(text)),
      limitRateAfter: conf.limit_rate_after === undefined ? undefined : this.variables.compile(conf.limit_rate_after),
    };
    if (scope.own(healthCheck).health_check !== undefined) this.checked.push({ place, location });
    const except = scope.own(core).limit_except?.[0];
    if (except === undefined) return location;
    const other = this.buildLocation(except.scope, { name: naming.name, header: undefined }, root, named);
    return { ...location, limitExcept: { methods: new Set(except.header), location: other } };
  }

  private symlinksOf({ disable_symlinks: { mode, from } }: CoreConf): Location["symlinks"] {
    if (mode === "off") return undefined;
    return { ofOwner: mode === "if_not_owner", from: from && this.variables.compile(from) };
  }

  private place(scope: Scope, name: string, root: Root, named: Map<string, Location>): Place {
    const { variables, worker } = this;
    return {
      scope,
      name,
      worker,
      compile: (template) => variables.compile(template),
      getter: (variable) => variables.getter(variable),
      setter: (variable) => variables.setter(variable),
      lookUp: (variable) => variables.lookUp(variable),
      declareSet: (variable) => variables.declareSet(variable),
      matcher: (regexp, names) => this.matcher(regexp, names),
      allowConnect: () => {
        this.takesConnect = true;
      },
      conditional: (inner) => this.buildLocation(inner, { name, header: undefined }, root, named),
    };
  }

  private matcher(regexp: RegExp, names: readonly string[]): Matcher {
    return new Captures(regexp, names, (name) => this.variables.setter(name.toLowerCase())).matches;
  }

  private collect<T>(pick: (module: HttpModule) => T | undefined): T[] {
    const found: T[] = [];
    for (const module of this.modules) {
      const one = pick(module);
      if (one !== undefined) found.push(one);
    }
    return found;
  }

  private first<T>(pick: (module: HttpModule) => T | undefined): T | undefined {
    return this.collect(pick)[0];
  }

  /** nginx runs the module that registered last first. */
  private handlersOf(phase: (typeof PHASES)[number], scope: Scope, place: Place): readonly Handler[] {
    if (phase === "findConfig" || phase === "postRewrite" || phase === "postAccess" || phase === "log")
      return NO_HANDLERS;
    return this.collect((module) => module.phases?.[phase]?.(scope.conf(module), place)).reverse();
  }

  private preparedOf(scope: Scope, place: Place): ReadonlyMap<object, unknown> {
    const prepared = new Map<object, unknown>();
    for (const module of this.modules) {
      const one = module.prepare?.(scope.conf(module), place);
      if (one !== undefined) prepared.set(module, one);
    }
    return prepared.size === 0 ? NOTHING_PREPARED : prepared;
  }

  private headerFiltersOf(scope: Scope, place: Place): { filter: HeaderFilter; forSubrequests: boolean }[] {
    return this.collect((module) => {
      const filter = module.headerFilter?.(scope.conf(module), place);
      return filter && { filter, forSubrequests: module.filtersSubrequests === true };
    }).reverse();
  }

  private logOf(targets: Location["core"]["error_log"]): Log {
    if (targets.length === 0) return this.worker.log;
    let log = this.logs.get(targets);
    if (log === undefined) {
      log = this.worker.ports.logging.openLog(targets);
      this.logs.set(targets, log);
    }
    return log;
  }

  private rootOf(scope: Scope, naming: Naming, outer: Root | undefined): Root {
    const own = scope.own(core);
    if (own.alias !== undefined) {
      const kind = naming.header?.kind;
      return { path: own.alias, alias: kind === "regex" || kind === "named" ? -1 : naming.name.length };
    }
    if (own.root !== undefined) return { path: own.root, alias: 0 };
    if (outer !== undefined) return outer;
    // The module's merging has put the default there.
    return { path: scope.conf(core).root as RootPath, alias: 0 };
  }

  private innerOf(scope: Scope, root: Root, named: Map<string, Location>): LocationTree | undefined {
    if (scope.context !== "server" && scope.context !== "location") return undefined;
    const blocks = scope.own(coreServer).location;
    if (blocks === undefined) return undefined;
    const statics: StaticLocation[] = [];
    const regexes: RegexLocation[] = [];
    for (const { header, scope: inner } of blocks) {
      const location = this.buildLocation(inner, { name: header.name, header }, root, named);
      // Of several with one name nginx finds the first.
      if (header.kind === "named" && !named.has(header.name)) named.set(header.name, location);
      else if (header.pattern !== undefined) {
        regexes.push({ matches: this.matcher(header.pattern.regexp, header.pattern.names), location });
      } else statics.push({ location, exact: location.exact, autoRedirect: this.redirectsSlash(inner, location) });
    }
    return statics.length === 0 && regexes.length === 0 ? undefined : new LocationTree(statics, regexes);
  }

  /** The module that serves the location asks for it. */
  private redirectsSlash(scope: Scope, location: Location): boolean {
    return (
      location.contentHandler !== undefined && this.modules.some((one) => one.autoRedirect === true && scope.sets(one))
    );
  }

  private errorPagesOf(scope: Scope): ReadonlyMap<number, ErrorPage> | undefined {
    const lines = scope.conf(core).error_page;
    if (lines.length === 0) return undefined;
    const pages = new Map<number, ErrorPage>();
    for (const { statuses, overwrite, uri } of lines) {
      const text: Text = this.variables.compile(uri);
      for (const status of statuses) {
        // nginx's own codes are answered with 400, unless the page says otherwise.
        const told = overwrite ?? (ANSWERED_WITH_400.has(status) ? 400 : undefined);
        if (!pages.has(status)) pages.set(status, { status, overwrite: told, uri: text });
      }
    }
    return pages;
  }
}

function keepAliveRules(conf: CoreConf): KeepAliveRules {
  const disabled = conf.keepalive_disable;
  return {
    timeoutMs: conf.keepalive_timeout.timeout,
    requests: conf.keepalive_requests,
    ageMs: conf.keepalive_time,
    notMsie6: disabled.has("msie6") && !disabled.has("none"),
    notSafari: disabled.has("safari") && !disabled.has("none"),
  };
}

const NOTHING_PREPARED: ReadonlyMap<object, unknown> = new Map();
const NO_HANDLERS: readonly Handler[] = [];
