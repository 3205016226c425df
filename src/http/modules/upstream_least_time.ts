/** `least_time`: the server that will probably answer first. nginx: ngx_http_upstream_least_time_module. */
import { LeastTime, type TimeMode } from "../../balance/least_time.ts";
import type { Use } from "../../conf/slot.ts";
import { fold } from "../../conf/slots.ts";
import { httpModule } from "../module.ts";

interface LeastTimeLine {
  readonly mode: TimeMode;
  readonly inflight: boolean;
  readonly order: number;
}

/** The word for a mode; undefined for any other. */
export function timeMode(word: string): TimeMode | undefined {
  return word === "header" || word === "last_byte" ? word : undefined;
}

function parseLeastTime(use: Use): LeastTimeLine | undefined {
  const [word = "", option] = use.args;
  const mode = timeMode(word.toLowerCase());
  if (option !== undefined && option !== "inflight") return use.fail(`invalid parameter "${option}"`);
  if (mode === undefined) return use.fail(`invalid value "${word}"`);
  return { mode, inflight: option !== undefined, order: use.order };
}

const directives = {
  least_time: fold<LeastTimeLine, undefined>(undefined, parseLeastTime, {
    in: "upstream",
    args: [1, 2],
    inherit: "none",
    syntax: "header | last_byte [inflight]",
    doc: "Chooses the server with the least average time until the header or the end of its answers, for its connections and weight.",
  }),
};

export const leastTime = httpModule({
  name: "upstream_least_time",
  directives,
  balancer: ({ least_time: line }) =>
    line === undefined
      ? undefined
      : { order: line.order, create: (group) => new LeastTime(group, line.mode, line.inflight) },
});
