/** `least_time`: the server that will probably answer first. nginx: ngx_http_upstream_least_time_module. */
import { leastTimeRules, leastTimeSlot, type TimeWord } from "../../net/balancers.ts";
import { httpModule } from "../module.ts";

/** What is measured, by nginx's words. */
export function timeWord(word: string): TimeWord | undefined {
  return word === "header" || word === "last_byte" ? { mode: word, isOfConnection: false } : undefined;
}

const directives = {
  least_time: leastTimeSlot("upstream", {
    timeOf: timeWord,
    syntax: "header | last_byte [inflight]",
    doc: "Chooses the server with the least average time until the header or the end of its answers, for its connections and weight.",
  }),
};

export const leastTime = httpModule({
  name: "upstream_least_time",
  directives,
  balancer: ({ least_time: line }) => line && leastTimeRules(line),
});
