/**
 * `npm run bench [-- --seconds N] [--rounds N] [--only WORD]`: prints a table and writes it to bench/results/.
 * Needs nginx, wrk and taskset (Debian: nginx-light wrk util-linux).
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { idleMemoryKb, measure, type Sample, WORKS } from "./http.ts";
import type { ServerProgram } from "./server.ts";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const IDLE_CONNECTIONS = 10_000;
const IDLE_GOAL = 1.5;

const { values: options } = parseArgs({
  options: {
    seconds: { type: "string", default: "5" },
    rounds: { type: "string", default: "3" },
    only: { type: "string" },
    nginx: { type: "string", default: "nginx" },
  },
});

function versionOf(binary: string): string {
  const result = spawnSync(binary, ["-v"], { encoding: "utf8" });
  if (result.error !== undefined) {
    console.error(`bench: ${binary} is not installed here (Debian: apt-get install nginx-light wrk)`);
    process.exit(1);
  }
  return /nginx\/[\d.]+/.exec(result.stderr + result.stdout)?.[0] ?? "nginx";
}

const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
};

const reference: ServerProgram = { name: versionOf(options.nginx), binary: options.nginx };
const tandem: ServerProgram = { name: "Tandem", binary: path.join(root, "bin/nginx") };
const seconds = Number(options.seconds);
const rounds = Number(options.rounds);

const rows: string[] = [];
function row(...cells: readonly (string | number)[]): void {
  const line = `| ${cells.join(" | ")} |`;
  rows.push(line);
  console.log(line);
}

const commit = execFileSync("git", ["-C", root, "rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim();
const title = `Tandem ${commit} against ${reference.name}; node ${process.version}; ${cpus().length} × ${cpus()[0]?.model ?? "?"}; ${rounds} rounds of ${seconds} s`;
console.log(`${title}\n`);
row(
  "work",
  `${reference.name} µs CPU/request`,
  "Tandem µs CPU/request",
  "ratio (min … max)",
  "goal",
  "req/s nginx",
  "req/s Tandem",
  "failed",
);
row("---", "--:", "--:", "--:", "--:", "--:", "--:", "--:");
for (const work of WORKS) {
  if (options.only !== undefined && !work.name.includes(options.only)) continue;
  const pairs: { theirs: Sample; ours: Sample; ratio: number }[] = [];
  for (let round = 0; round < rounds; round++) {
    const theirs = await measure(reference, work, seconds, reference);
    const ours = await measure(tandem, work, seconds, reference);
    pairs.push({ theirs, ours, ratio: ours.cpuUsPerRequest / theirs.cpuUsPerRequest });
  }
  const ratios = pairs.map((pair) => pair.ratio);
  row(
    work.name,
    median(pairs.map((pair) => pair.theirs.cpuUsPerRequest)).toFixed(2),
    median(pairs.map((pair) => pair.ours.cpuUsPerRequest)).toFixed(2),
    `**${median(ratios).toFixed(2)}** (${Math.min(...ratios).toFixed(2)} … ${Math.max(...ratios).toFixed(2)})`,
    `≤ ${work.goal.toFixed(1)}`,
    Math.round(median(pairs.map((pair) => pair.theirs.requestsPerSecond))),
    Math.round(median(pairs.map((pair) => pair.ours.requestsPerSecond))),
    `${pairs.reduce((sum, pair) => sum + pair.theirs.failed, 0)} / ${pairs.reduce((sum, pair) => sum + pair.ours.failed, 0)}`,
  );
}
if (options.only === undefined || "idle memory".includes(options.only)) {
  const theirs = await idleMemoryKb(reference, IDLE_CONNECTIONS);
  const ours = await idleMemoryKb(tandem, IDLE_CONNECTIONS);
  rows.push("");
  console.log();
  row("memory", reference.name, "Tandem", "ratio", "goal");
  row("---", "--:", "--:", "--:", "--:");
  row(
    `growth by ${IDLE_CONNECTIONS} idle connections`,
    `${theirs} KiB`,
    `${ours} KiB`,
    `**${(ours / theirs).toFixed(2)}**`,
    `≤ ${IDLE_GOAL}`,
  );
}
const results = path.join(root, "bench/results");
mkdirSync(results, { recursive: true });
writeFileSync(path.join(results, "http.md"), `${title}\n\n${rows.join("\n")}\n`);
