/** `upstream` blocks of an http block, as the modules have them. */
import type { HealthSettings } from "../balance/health.ts";
import type { Scope } from "../conf/scope.ts";
import type { UpstreamBlock } from "../net/upstream-blocks.ts";
import type { BalancerRules } from "../net/upstreams.ts";
import { core } from "./modules/core.ts";
import { keepAliveOf, upstream } from "./modules/upstream.ts";
import { upstreamZone } from "./modules/upstream_zone.ts";
import type { Request } from "./request.ts";
import type { Sticky } from "./sticky.ts";
import { Upstream } from "./upstream-group.ts";
import { UpstreamQueue } from "./upstream-queue.ts";
import type { Worker } from "./worker.ts";

/** What the modules say of an upstream. */
export interface UpstreamParts {
  readonly balancers: readonly BalancerRules<Request>[];
  readonly sticky: Sticky | undefined;
  /** What its active health checks begin with; undefined when it has none. */
  readonly health: Pick<HealthSettings, "mandatory" | "persistent"> | undefined;
}

/** `partsOf` asks the modules. */
export function upstreamBlocks(
  http: Scope,
  worker: Worker,
  partsOf: (scope: Scope) => UpstreamParts,
): readonly UpstreamBlock<Request, Upstream>[] {
  return http.conf(upstream).upstream.map(({ header, scope }): UpstreamBlock<Request, Upstream> => {
    const conf = scope.conf(upstream);
    const { balancers, sticky, health } = partsOf(scope);
    const outer = http.conf(core);
    return {
      name: header,
      servers: conf.server,
      zone: scope.conf(upstreamZone).zone?.name,
      resolver: conf.resolver ?? outer.resolver,
      resolverTimeoutMs: conf.resolver_timeout ?? outer.resolver_timeout,
      balancers,
      health,
      make: (balancer, members, keyOf) =>
        new Upstream(balancer, members, {
          keyOf,
          keepAlive: keepAliveOf(conf),
          sticky,
          queue: conf.queue && new UpstreamQueue(worker, conf.queue),
        }),
    };
  });
}
