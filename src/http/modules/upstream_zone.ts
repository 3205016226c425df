/** `zone` of an upstream: its peers live in memory that all workers share. nginx: ngx_http_upstream_zone_module. */
import { upstreamZoneSlot } from "../../net/balancers.ts";
import { httpModule } from "../module.ts";

export const upstreamZone = httpModule({
  name: "upstream_zone",
  directives: { zone: upstreamZoneSlot("upstream", "upstream") },
});
