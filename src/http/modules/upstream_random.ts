/** `random`: a server by chance, or the better of two. nginx: ngx_http_upstream_random_module. */
import { Random, type RandomBelow, RandomTwo } from "../../balance/random.ts";
import type { Use } from "../../conf/slot.ts";
import { fold } from "../../conf/slots.ts";
import { httpModule } from "../module.ts";
import { refuseBackup } from "./upstream.ts";

interface RandomLine {
  readonly two: boolean;
  readonly order: number;
}

function parseRandom(use: Use): RandomLine | undefined {
  const [two, method] = use.args;
  if (two !== undefined && two !== "two") return use.fail(`invalid parameter "${two}"`);
  if (method !== undefined && method !== "least_conn") return use.fail(`invalid parameter "${method}"`);
  return { two: two !== undefined, order: use.order };
}

const directives = {
  random: fold<RandomLine, undefined>(undefined, parseRandom, {
    in: "upstream",
    args: [0, 2],
    inherit: "none",
    syntax: "[two [least_conn]]",
    doc: "Chooses a server by chance, by weight; with `two` the one of two with fewer connections.",
  }),
};

const RANDOM_BYTES = 4;

export const random = httpModule({
  name: "upstream_random",
  directives,
  check: (conf, { scope }, report) => refuseBackup(scope, conf.random?.order, report),
  balancer({ random: line }, place) {
    if (line === undefined) return undefined;
    const { ports } = place.worker;
    const below: RandomBelow = (bound) =>
      ports.random(RANDOM_BYTES).reduce((sum, byte) => (sum * 256 + byte) % 2 ** 32, 0) % bound;
    return {
      order: line.order,
      create: (group) => (line.two ? new RandomTwo(group, below, undefined) : new Random(group, below)),
    };
  },
});
