/** `random`: a server by chance, or the better of two. nginx: ngx_http_upstream_random_module. */
import { randomRules, randomSlot } from "../../net/balancers.ts";
import { httpModule } from "../module.ts";
import { refuseMethodParameters } from "./upstream.ts";
import { timeWord } from "./upstream_least_time.ts";

const directives = {
  random: randomSlot("upstream", {
    timeOf: timeWord,
    syntax: "[two [least_conn | least_time=header | least_time=last_byte]]",
  }),
};

export const random = httpModule({
  name: "upstream_random",
  directives,
  check: (conf, { scope }, report) => refuseMethodParameters(scope, conf.random?.order, report),
  balancer: ({ random: line }, { worker }) => line && randomRules(line, (sizeBytes) => worker.ports.random(sizeBytes)),
});
