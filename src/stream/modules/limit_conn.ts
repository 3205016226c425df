/** Bounds the sessions that are under way per key, over all workers. nginx: ngx_stream_limit_conn_module. */
import { limitConnections, limitConnSlots, STATUSES } from "../../net/limit-conn-rules.ts";
import { SessionLimits } from "../limits.ts";
import { streamModule } from "../module.ts";
import { DECLINED, SERVICE_UNAVAILABLE } from "../outcome.ts";
import type { Session } from "../session.ts";

export const limitConn = streamModule({
  name: "stream_limit_conn",
  directives: limitConnSlots({ zone: "stream", limit: "stream, stream server" }, "stream limit_conn"),
  variables: [
    {
      name: "limit_conn_status",
      doc: "What limits of connections did: PASSED, REJECTED, REJECTED_DRY_RUN.",
      get: ({ limits }) => STATUSES[limits?.connStatus ?? 0] || undefined,
    },
  ],
  phases: {
    preaccess(conf, place) {
      const isRefused = limitConnections<Session>(conf, {
        compile: (template) => place.compile(template),
        getter: (variable) => place.getter(variable),
        matcher: (regexp, names) => place.matcher(regexp, names),
        limits: place.worker.limits,
        heldBy: (session) => {
          session.limits ??= new SessionLimits();
          return session.limits;
        },
        log: (session, level, message) => session.logError(level, message),
        complain: (message) => place.worker.log.write("crit", message),
      });
      return isRefused && ((session) => (isRefused(session) ? SERVICE_UNAVAILABLE : DECLINED));
    },
  },
});
