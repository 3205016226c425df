/**
 * `npm run soak [-- --seconds N] [--clients N] [--pause MS]`: a worker under mixed traffic (proxy, files, compression, aborted clients, resets),
 * ten minutes unless said otherwise. Prints its resident memory and what a collection leaves on its heap, and their slopes.
 */
import { parseArgs } from "node:util";
import type { Slope } from "./slope.ts";
import { type SoakResult, soak } from "./soak.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "600" },
    clients: { type: "string", default: "2" },
    pause: { type: "string", default: "30" },
  },
});

/** More than this a minute is called growth, when it is more than three standard errors. */
const HEAP_KB_PER_MINUTE = 64;
const RESIDENT_KB_PER_MINUTE = 512;
const SAMPLES = 60;

const isGrowing = ({ slope, error }: Slope, bound: number): boolean => slope > bound && slope > 3 * error;
const print = (name: string, { slope, error }: Slope): void =>
  console.log(`${name}: ${slope.toFixed(1)} ± ${error.toFixed(1)} KiB a minute`);

function verdict(result: SoakResult): readonly string[] {
  return [
    ...(isGrowing(result.heap, HEAP_KB_PER_MINUTE) ? ["the heap grows"] : []),
    ...(isGrowing(result.resident, RESIDENT_KB_PER_MINUTE) ? ["resident memory grows"] : []),
    ...(result.descriptorsAfter > result.descriptorsBefore ? ["descriptors are left open"] : []),
    ...(result.workerSurvived ? [] : ["the worker has died"]),
    ...result.failures.slice(0, 10),
    ...result.alarms.slice(0, 10),
  ];
}

const seconds = Number(values.seconds);
const options = {
  seconds,
  warmUpSeconds: seconds / 5,
  sampleSeconds: Math.max(1, seconds / SAMPLES),
  clientsOfAKind: Number(values.clients),
  pauseMs: Number(values.pause),
};
console.log("seconds  resident KiB  heap KiB  descriptors");
const result = await soak(options, ({ atS, residentKb, heapKb, descriptors }) => {
  const cells = [atS.toFixed(0).padStart(7), String(residentKb).padStart(12), heapKb.toFixed(0).padStart(8)];
  console.log(`${cells.join("  ")}  ${String(descriptors).padStart(11)}`);
});
console.log();
for (const [kind, count] of result.counts) console.log(`${String(count).padStart(9)}  ${kind}`);
console.log();
print("resident memory", result.resident);
print("heap", result.heap);
console.log(`descriptors: ${result.descriptorsBefore} before, ${result.descriptorsAfter} when all clients had gone`);
const complaints = verdict(result);
for (const complaint of complaints) console.log(`! ${complaint}`);
if (complaints.length === 0) console.log("memory is flat, and nothing was left behind");
process.exit(complaints.length === 0 ? 0 : 1);
