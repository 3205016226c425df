/** `random` in stream. nginx: ngx_stream_upstream_random_module. */
import { randomRules, randomSlot } from "../../net/balancers.ts";
import { streamModule } from "../module.ts";
import { refuseMethodParameters } from "./upstream.ts";
import { timeWord } from "./upstream_least_time.ts";

const directives = {
  random: randomSlot("stream upstream", {
    timeOf: timeWord,
    syntax: "[two [least_conn | least_time=connect | least_time=first_byte | least_time=last_byte]]",
  }),
};

export const random = streamModule({
  name: "stream_upstream_random",
  directives,
  check: (conf, { scope }, report) => refuseMethodParameters(scope, conf.random?.order, report),
  balancer: ({ random: line }, { worker }) => line && randomRules(line, (sizeBytes) => worker.ports.random(sizeBytes)),
});
