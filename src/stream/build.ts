/** Bound configuration → what sessions run through: servers, upstreams, listening points. nginx: ngx_stream_block. */
import type { Log } from "../base/log.ts";
import type { Scope } from "../conf/scope.ts";
import { BalancedGroup, noKey } from "../net/balanced-group.ts";
import { Captures } from "../net/captures.ts";
import type { AddressPlan } from "../net/listening-plan.ts";
import { displayName, ServerNames } from "../net/server-names.ts";
import { balancerOf, defineUpstreams, type UpstreamBlock } from "../net/upstream-blocks.ts";
import { Upstreams } from "../net/upstreams.ts";
import type { Variables } from "../net/variables.ts";
import type { Place, StreamModule } from "./module.ts";
import { core, coreServer, streamMain } from "./modules/core.ts";
import { upstream } from "./modules/upstream.ts";
import { upstreamZone } from "./modules/upstream_zone.ts";
import type { StreamPlan } from "./plan.ts";
import { type ListeningPoint, PHASES, type Server } from "./server.ts";
import type { Session } from "./session.ts";
import type { Worker } from "./worker.ts";

export class Builder {
  private readonly modules: readonly StreamModule[];
  private readonly variables: Variables<Session>;
  private readonly worker: Worker;
  private readonly logs = new Map<unknown, Log>();

  constructor(modules: readonly StreamModule[], variables: Variables<Session>, worker: Worker) {
    this.modules = modules;
    this.variables = variables;
    this.worker = worker;
  }

  /** The points of every address, in the order of `plan.addresses`. */
  build(plan: StreamPlan): readonly ListeningPoint[] {
    const { stream } = plan;
    // Before anything else is compiled: what follows may use them.
    const definitions = this.collect((module) => module.definitions?.(stream.conf(module))).flat();
    this.variables.define(definitions, this.place(stream));
    this.worker.upstreams = this.upstreamsOf(stream);
    const servers = new Map<Scope, Server>();
    for (const { scope } of stream.conf(streamMain).server) servers.set(scope, this.serverOf(scope));
    return plan.addresses.map((address) => ({
      name: address.name,
      defaultServer: servers.get(address.defaultServer) as Server,
      names: this.namesOf(address, servers),
      proxyProtocol: address.proxyProtocol,
    }));
  }

  private namesOf(
    { servers: sharing }: AddressPlan,
    servers: ReadonlyMap<Scope, Server>,
  ): ServerNames<Session, Server> | undefined {
    const names = new ServerNames<Session, Server>();
    let isNamed = sharing.length > 1;
    for (const scope of sharing) {
      const place = this.place(scope);
      const server = servers.get(scope) as Server;
      for (const { name, pattern } of scope.conf(coreServer).server_name) {
        const matches = pattern && place.matcher(pattern.regexp, pattern.names);
        // A pattern may capture something, even where there is no choice.
        if (matches !== undefined) isNamed = true;
        names.add({ name, server, matches });
      }
    }
    return isNamed ? names : undefined;
  }

  private upstreamsOf(stream: Scope): Upstreams<BalancedGroup<Session>> {
    const { worker } = this;
    const { ports, resolvers, timers, log, clock } = worker;
    const blocks = stream.conf(upstream).upstream.map(({ header, scope }) => this.blockOf(header, scope));
    const defined = defineUpstreams(blocks, { shared: ports.shared, resolvers, timers, clock, log });
    return new Upstreams(defined, (balancer, members) => new BalancedGroup<Session>(balancer, members, noKey));
  }

  private blockOf(name: string, scope: Scope): UpstreamBlock<Session, BalancedGroup<Session>> {
    const { worker } = this;
    const place = this.place(scope);
    const conf = scope.conf(upstream);
    const outer = (scope.parent as Scope).conf(core);
    const balancers = this.collect((module) => module.balancer?.(scope.conf(module), place));
    const timesConnection = balancerOf(balancers)?.timesConnection === true;
    return {
      name,
      servers: conf.server,
      zone: scope.conf(upstreamZone).zone?.name,
      resolver: conf.resolver ?? outer.resolver,
      resolverTimeoutMs: conf.resolver_timeout ?? outer.resolver_timeout,
      balancers,
      health: undefined,
      make: (balancer, members, keyOf) => {
        const group = new BalancedGroup(balancer, members, keyOf);
        if (timesConnection) worker.timesConnection.add(group);
        return group;
      },
    };
  }

  private serverOf(scope: Scope): Server {
    const place = this.place(scope);
    const conf = scope.conf(core);
    const contents = this.collect((module) => module.content?.(scope.conf(module), place));
    return {
      name: displayName(scope.conf(coreServer).server_name[0]?.name ?? ""),
      conf,
      log: this.logOf(conf.error_log),
      // nginx runs the module that registered last first.
      phases: PHASES.map((phase) =>
        this.collect((module) => module.phases?.[phase]?.(scope.conf(module), place)).reverse(),
      ),
      content: contents.sort((a, b) => b.order - a.order)[0]?.run,
      logHandlers: this.collect((module) => module.log?.(scope.conf(module), place)),
    };
  }

  private place(scope: Scope): Place {
    const { variables, worker } = this;
    return {
      scope,
      worker,
      compile: (template) => variables.compile(template),
      getter: (variable) => variables.getter(variable),
      setter: (variable) => variables.setter(variable),
      matcher: (regexp, names) =>
        new Captures<Session>(regexp, names, (name) => variables.setter(name.toLowerCase())).matches,
    };
  }

  private collect<T>(pick: (module: StreamModule) => T | undefined): T[] {
    const found: T[] = [];
    for (const module of this.modules) {
      const one = pick(module);
      if (one !== undefined) found.push(one);
    }
    return found;
  }

  private logOf(targets: Server["conf"]["error_log"]): Log {
    if (targets.length === 0) return this.worker.log;
    let log = this.logs.get(targets);
    if (log === undefined) {
      log = this.worker.ports.logging.openLog(targets);
      this.logs.set(targets, log);
    }
    return log;
  }
}
