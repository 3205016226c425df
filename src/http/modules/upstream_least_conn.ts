/** `least_conn`: the server with the fewest active connections. nginx: ngx_http_upstream_least_conn_module. */
import { LeastConn } from "../../balance/least_conn.ts";
import { fold } from "../../conf/slots.ts";
import { httpModule } from "../module.ts";

const directives = {
  least_conn: fold<{ readonly order: number }, undefined>(undefined, ({ order }) => ({ order }), {
    in: "upstream",
    args: 0,
    inherit: "none",
    syntax: "",
    doc: "Chooses the server with the fewest active connections for its weight.",
  }),
};

export const leastConn = httpModule({
  name: "upstream_least_conn",
  directives,
  balancer: ({ least_conn: line }) =>
    line === undefined ? undefined : { order: line.order, create: (group) => new LeastConn(group) },
});
