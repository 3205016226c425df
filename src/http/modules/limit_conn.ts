/** Bounds the requests that are under way per key, over all workers. nginx: ngx_http_limit_conn_module. */
import type { ConfOf } from "../../conf/slot.ts";
import { num } from "../../conf/slots.ts";
import { limitConnections, limitConnSlots, STATUSES } from "../../net/limit-conn-rules.ts";
import { limitsOf } from "../limits.ts";
import type { Handler } from "../location.ts";
import { httpModule, type Place } from "../module.ts";
import { DECLINED } from "../outcome.ts";
import type { Request } from "../request.ts";

const directives = {
  ...limitConnSlots({ zone: "http", limit: "http, server, location" }, "limit_conn"),
  limit_conn_status: num(503, { min: 400, max: 599, in: "http, server, location", doc: "What refused requests get." }),
};

function build(conf: ConfOf<typeof directives>, place: Place): Handler | undefined {
  const isRefused = limitConnections<Request>(conf, {
    compile: (template) => place.compile(template),
    getter: (variable) => place.getter(variable),
    matcher: (regexp, names) => place.matcher(regexp, names),
    limits: place.worker.limits,
    heldBy: limitsOf,
    log: ({ connection }, level, message) => connection.logError(level, message),
    complain: (message) => place.worker.log.write("crit", message),
  });
  if (isRefused === undefined) return undefined;
  const { limit_conn_status: status } = conf;
  return (request) => {
    if (request.main.limits !== undefined && request.main.limits.connStatus !== 0) return DECLINED;
    return isRefused(request) ? status : DECLINED;
  };
}

export const limitConn = httpModule({
  name: "limit_conn",
  directives,
  variables: [
    {
      name: "limit_conn_status",
      doc: "What limits of connections did: PASSED, REJECTED, REJECTED_DRY_RUN.",
      get: ({ main }) => STATUSES[main.limits?.connStatus ?? 0] || undefined,
    },
  ],
  phases: { preaccess: build },
});
