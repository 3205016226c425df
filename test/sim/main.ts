/**
 * `npm run sim [-- --seeds N | --minutes N] [--first N] [--seed N]`: many seeds; the first broken promise is printed with its story.
 */
import { parseArgs } from "node:util";
import { runSeed } from "./story.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string" },
    minutes: { type: "string" },
    first: { type: "string", default: "1" },
    seed: { type: "string" },
  },
});
const DEFAULT_SEEDS = 10_000;
const first = Number(values.seed ?? values.first);
const limitMs = values.minutes === undefined ? Number.POSITIVE_INFINITY : Number(values.minutes) * 60_000;
const limit =
  values.seed !== undefined
    ? 1
    : Number(values.seeds ?? (values.minutes === undefined ? DEFAULT_SEEDS : Number.POSITIVE_INFINITY));
const started = performance.now();
let count = 0;
let virtualMs = 0;
let packets = 0;
const faults = new Map<string, number>();
const broken: number[] = [];
for (let seed = first; count < limit && performance.now() - started < limitMs; seed++) {
  const outcome = runSeed(seed);
  count++;
  virtualMs += outcome.virtualMs;
  packets += outcome.packets;
  for (const fault of outcome.faults) faults.set(fault, (faults.get(fault) ?? 0) + 1);
  if (outcome.violation === undefined) continue;
  if (broken.length === 0) console.log(`seed ${seed}: ${outcome.violation}\n`);
  broken.push(seed);
}
const tookS = (performance.now() - started) / 1000;
const hours = (virtualMs / 3_600_000).toFixed(1);
const tolds = [...faults].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, times]) => `${times} ${name}`);
console.log(
  `${count} seeds of three nodes, ${first} to ${first + count - 1}: ${hours} simulated hours, ${packets} packets, ${tookS.toFixed(0)} s`,
);
console.log(`faults: ${tolds.join(", ")}`);
if (broken.length > 0)
  console.log(`${broken.length} broken: ${broken.slice(0, 20).join(" ")}${broken.length > 20 ? " …" : ""}`);
else console.log("every promise was kept");
process.exitCode = broken.length > 0 ? 1 : 0;
