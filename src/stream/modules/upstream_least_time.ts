/** `least_time` in stream. nginx: ngx_stream_upstream_least_time_module. */
import { leastTimeRules, leastTimeSlot, type TimeWord } from "../../net/balancers.ts";
import { streamModule } from "../module.ts";

/** What is measured, by nginx's words: until the connection, the first or the last byte. */
export function timeWord(word: string): TimeWord | undefined {
  if (word === "connect") return { mode: "header", isOfConnection: true };
  if (word === "first_byte") return { mode: "header", isOfConnection: false };
  return word === "last_byte" ? { mode: "last_byte", isOfConnection: false } : undefined;
}

const directives = {
  least_time: leastTimeSlot("stream upstream", {
    timeOf: timeWord,
    syntax: "connect | first_byte | last_byte [inflight]",
    doc: "Chooses the server with the least average time until the connection, or the first or last byte that it sends, for its connections and weight.",
  }),
};

export const leastTime = streamModule({
  name: "stream_upstream_least_time",
  directives,
  balancer: ({ least_time: line }) => line && leastTimeRules(line),
});
