/** `npm run sim [-- --seeds N] [--first N] [--seed N]`: many seeds; the first broken promise is printed with its story. */
import { parseArgs } from "node:util";
import { runSeed } from "./story.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "10000" },
    first: { type: "string", default: "1" },
    seed: { type: "string" },
  },
});
const first = Number(values.seed ?? values.first);
const count = values.seed === undefined ? Number(values.seeds) : 1;
const started = performance.now();
let virtualMs = 0;
let packets = 0;
const broken: number[] = [];
for (let seed = first; seed < first + count; seed++) {
  const outcome = runSeed(seed);
  virtualMs += outcome.virtualMs;
  packets += outcome.packets;
  if (outcome.violation === undefined) continue;
  if (broken.length === 0) console.log(`seed ${seed}: ${outcome.violation}\n`);
  broken.push(seed);
}
const tookS = (performance.now() - started) / 1000;
console.log(
  `${count} seeds of three nodes: ${(virtualMs / 3_600_000).toFixed(1)} simulated hours, ${packets} packets, ${tookS.toFixed(0)} s`,
);
if (broken.length > 0)
  console.log(`${broken.length} broken: ${broken.slice(0, 20).join(" ")}${broken.length > 20 ? " …" : ""}`);
else console.log("every promise was kept");
process.exitCode = broken.length > 0 ? 1 : 0;
