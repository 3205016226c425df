/**
 * `npm run sim [-- --seeds N | --to N | --minutes N] [--from N] [--jobs N] [--summary FILE]`: many seeds on all processors; the first broken
 * promise is printed with its story. With `--summary` what was told is kept in a file, and the next run with it goes on where this one has
 * ended. `--seed N` tells one story; `--merge FILE…` adds summaries of several machines up and prints them as one.
 */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { codeDigest } from "./code.ts";
import { runSeed } from "./story.ts";
import { emptySummary, mergeSummaries, printSummary, type Summary, SummaryError, seedsOf } from "./summary.ts";
import { tellSeeds } from "./tellers.ts";

const DEFAULT_SEEDS = 10_000;
/** A line about how far it is, so often. */
const NEWS_MS = 60_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seeds: { type: "string" },
    minutes: { type: "string" },
    from: { type: "string", default: "1" },
    to: { type: "string" },
    jobs: { type: "string", default: String(availableParallelism()) },
    summary: { type: "string" },
    merge: { type: "boolean", default: false },
    seed: { type: "string" },
  },
});

function number(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new SummaryError(`--${name} ${text}: not a number from 1 on`);
  return value;
}

function read(file: string): Summary | undefined {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  return JSON.parse(text) as Summary;
}

/** A run that is killed in its midst leaves the old file or the new one. */
function write(file: string, summary: Summary): void {
  writeFileSync(`${file}.new`, `${JSON.stringify(summary)}\n`);
  renameSync(`${file}.new`, file);
}

function lastSeed(from: number): number {
  if (values.to !== undefined) return number("to", values.to);
  if (values.seeds !== undefined) return from + number("seeds", values.seeds) - 1;
  return values.minutes === undefined ? from + DEFAULT_SEEDS - 1 : Number.POSITIVE_INFINITY;
}

function tellOne(seed: number): number {
  const { violation, faults, virtualMs } = runSeed(seed);
  console.log(violation === undefined ? `seed ${seed}: every promise was kept` : `seed ${seed}: ${violation}`);
  console.log(`${(virtualMs / 1000).toFixed(1)} simulated seconds; faults: ${faults.join(", ")}`);
  return violation === undefined ? 0 : 1;
}

function mergeAll(files: readonly string[]): number {
  const summaries = files.map((file) => {
    const summary = read(file);
    if (summary === undefined) throw new SummaryError(`${file} is not there`);
    return summary;
  });
  const [first, ...others] = summaries;
  if (first === undefined) throw new SummaryError("--merge: which files?");
  return finish(others.reduce(mergeSummaries, first));
}

function finish(summary: Summary): number {
  console.log(printSummary(summary));
  const [first] = summary.broken;
  if (first !== undefined) console.log(`\nseed ${first.seed}: ${first.violation}`);
  return summary.brokenCount > 0 ? 1 : 0;
}

async function tellMany(): Promise<number> {
  const from = number("from", values.from);
  const to = lastSeed(from);
  const limitMs = values.minutes === undefined ? Number.POSITIVE_INFINITY : Number(values.minutes) * 60_000;
  const code = codeDigest();
  const file = values.summary;
  let summary = (file === undefined ? undefined : read(file)) ?? emptySummary(code);
  if (summary.code !== code)
    throw new SummaryError(`${file} is about other code (${summary.code}, this is ${code}): name another file`);
  const { ranges } = summary;
  const before = seedsOf(summary);
  const started = performance.now();
  let isInterrupted = false;
  let newsMs = started;
  process.on("SIGINT", () => {
    isInterrupted = true;
  });
  await tellSeeds({
    from,
    to,
    done: ranges,
    jobs: number("jobs", values.jobs),
    code,
    isOver: () => isInterrupted || performance.now() - started >= limitMs,
    onSummary: (block) => {
      const isFirst = summary.brokenCount === 0 && block.brokenCount > 0;
      summary = mergeSummaries(summary, block);
      if (file !== undefined) write(file, summary);
      if (isFirst) console.log(`seed ${block.broken[0]?.seed}: ${block.broken[0]?.violation}\n`);
      if (performance.now() - newsMs < NEWS_MS) return;
      newsMs = performance.now();
      const perSecond = (seedsOf(summary) - before) / ((newsMs - started) / 1000);
      console.log(`${seedsOf(summary)} seeds, ${perSecond.toFixed(1)} a second, ${summary.brokenCount} broken`);
    },
  });
  const tookS = (performance.now() - started) / 1000;
  const told = seedsOf(summary) - before;
  const rate = tookS === 0 ? 0 : told / tookS;
  console.log(`${told} seeds in ${tookS.toFixed(0)} s (${values.jobs} at once), ${rate.toFixed(1)} a second`);
  return finish(summary);
}

async function main(): Promise<number> {
  try {
    if (values.merge) return mergeAll(positionals);
    if (values.seed !== undefined) return tellOne(number("seed", values.seed));
    return await tellMany();
  } catch (error) {
    if (!(error instanceof SummaryError)) throw error;
    console.error(`sim: ${error.message}`);
    return 2;
  }
}

process.exitCode = await main();
