/** `hash` in stream. nginx: ngx_stream_upstream_hash_module. */
import { hashRules, hashSlot } from "../../net/balancers.ts";
import { streamModule } from "../module.ts";
import { refuseMethodParameters } from "./upstream.ts";

export const hash = streamModule({
  name: "stream_upstream_hash",
  directives: { hash: hashSlot("stream upstream") },
  check: (conf, { scope }, report) => refuseMethodParameters(scope, conf.hash?.order, report),
  balancer: ({ hash: line }, place) => line && hashRules(line, place),
});
