/** `zone` of an upstream in stream. nginx: ngx_stream_upstream_zone_module. */
import { upstreamZoneSlot } from "../../net/balancers.ts";
import { streamModule } from "../module.ts";

export const upstreamZone = streamModule({
  name: "stream_upstream_zone",
  directives: { zone: upstreamZoneSlot("stream upstream", "stream upstream") },
});
