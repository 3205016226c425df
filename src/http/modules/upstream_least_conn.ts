/** `least_conn`: the server with the fewest active connections. nginx: ngx_http_upstream_least_conn_module. */
import { leastConnRules, leastConnSlot } from "../../net/balancers.ts";
import { httpModule } from "../module.ts";

export const leastConn = httpModule({
  name: "upstream_least_conn",
  directives: { least_conn: leastConnSlot("upstream") },
  balancer: ({ least_conn: line }) => line && leastConnRules(line),
});
