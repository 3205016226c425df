/** `random`: a server by chance, or the better of two. nginx: ngx_http_upstream_random_module. */
import type { TimeMode } from "../../balance/least_time.ts";
import { Random, type RandomBelow, RandomTwo } from "../../balance/random.ts";
import type { Use } from "../../conf/slot.ts";
import { fold } from "../../conf/slots.ts";
import { httpModule } from "../module.ts";
import { refuseParameters } from "./upstream.ts";
import { timeMode } from "./upstream_least_time.ts";

interface RandomLine {
  readonly two: boolean;
  /** `least_time=`; undefined: connections are compared. */
  readonly mode: TimeMode | undefined;
  readonly order: number;
}

const LEAST_TIME = "least_time=";

function parseRandom(use: Use): RandomLine | undefined {
  const [two, method] = use.args;
  if (two !== undefined && two !== "two") return use.fail(`invalid parameter "${two}"`);
  const mode = method?.startsWith(LEAST_TIME) === true ? timeMode(method.slice(LEAST_TIME.length)) : undefined;
  if (method !== undefined && method !== "least_conn" && mode === undefined)
    return use.fail(`invalid parameter "${method}"`);
  return { two: two !== undefined, mode, order: use.order };
}

const directives = {
  random: fold<RandomLine, undefined>(undefined, parseRandom, {
    in: "upstream",
    args: [0, 2],
    inherit: "none",
    syntax: "[two [least_conn | least_time=header | least_time=last_byte]]",
    doc: "Chooses a server by chance, by weight; with `two` the better of two: fewer connections, or less time.",
  }),
};

const RANDOM_BYTES = 4;

export const random = httpModule({
  name: "upstream_random",
  directives,
  check: (conf, { scope }, report) => refuseParameters(scope, conf.random?.order, report),
  balancer({ random: line }, place) {
    if (line === undefined) return undefined;
    const { ports } = place.worker;
    const below: RandomBelow = (bound) =>
      ports.random(RANDOM_BYTES).reduce((sum, byte) => (sum * 256 + byte) % 2 ** 32, 0) % bound;
    return {
      order: line.order,
      withoutBackup: true,
      create: (group) => (line.two ? new RandomTwo(group, below, line.mode) : new Random(group, below)),
    };
  },
});
