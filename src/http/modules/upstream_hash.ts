/** `hash`: a key decides. nginx: ngx_http_upstream_hash_module. */
import { hashRules, hashSlot } from "../../net/balancers.ts";
import { httpModule } from "../module.ts";
import { refuseMethodParameters } from "./upstream.ts";

export const hash = httpModule({
  name: "upstream_hash",
  directives: { hash: hashSlot("upstream") },
  check: (conf, { scope }, report) => refuseMethodParameters(scope, conf.hash?.order, report),
  balancer: ({ hash: line }, place) => line && hashRules(line, place),
});
