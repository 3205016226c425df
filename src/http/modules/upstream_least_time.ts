/** `least_time`: the server that will probably answer first. nginx: ngx_http_upstream_least_time_module. */
import type { TimeMode } from "../../balance/least_time.ts";
import { leastTimeRules, leastTimeSlot } from "../../net/balancers.ts";
import { httpModule } from "../module.ts";

/** The word for a mode; undefined for any other. */
export function timeMode(word: string): TimeMode | undefined {
  return word === "header" || word === "last_byte" ? word : undefined;
}

const directives = {
  least_time: leastTimeSlot("upstream", {
    modeOf: timeMode,
    syntax: "header | last_byte [inflight]",
    doc: "Chooses the server with the least average time until the header or the end of its answers, for its connections and weight.",
  }),
};

export const leastTime = httpModule({
  name: "upstream_least_time",
  directives,
  balancer: ({ least_time: line }) => line && leastTimeRules(line),
});
