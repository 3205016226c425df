/** `least_conn` in stream. nginx: ngx_stream_upstream_least_conn_module. */
import { leastConnRules, leastConnSlot } from "../../net/balancers.ts";
import { streamModule } from "../module.ts";

export const leastConn = streamModule({
  name: "stream_upstream_least_conn",
  directives: { least_conn: leastConnSlot("stream upstream") },
  balancer: ({ least_conn: line }) => line && leastConnRules(line),
});
