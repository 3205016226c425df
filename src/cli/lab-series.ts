/** `tandem lab DIR --runs N --compare …`: many runs of every scenario, in labs of their own, and a table of what they came to. */
import { createHash, type Hash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import path from "node:path";
import { TANDEM_VERSION } from "../base/version.ts";
import { type NodeFiles, readPairFiles } from "../lab/files.ts";
import { CHECKOUT, type Flavour } from "../lab/flavours.ts";
import { NODES, type NodeName } from "../lab/plan.ts";
import type { Scenario } from "../lab/scenario.ts";
import { Series, type SeriesPair } from "../lab/series.ts";
import { figuresTable } from "../lab/series-figures.ts";
import { type SeriesAbout, SeriesRecord } from "../lab/series-record.ts";

type Flavours = Readonly<Record<NodeName, Flavour>>;

/** What makes a series of several runs. */
export interface SeriesWishes {
  /** Where runs are kept; undefined: nowhere. */
  readonly record: string | undefined;
  /** Where the table is written to. */
  readonly table: string | undefined;
  /** Labs at once. */
  readonly parallel: number;
  /** The pair that is measured beside; undefined: none. */
  readonly original: Flavours | undefined;
  /** `--peer` as it was given. */
  readonly peer: string | undefined;
}

/** What is rehearsed. */
export interface SeriesSubject {
  readonly directories: readonly string[];
  readonly scenarios: readonly Scenario[];
  readonly flavours: Flavours;
  readonly runs: number;
}

/** Runs labs in processes of their own, and prints what they came to. */
export async function measureSeries(wishes: SeriesWishes & SeriesSubject): Promise<number> {
  const print = (line: string): void => void process.stdout.write(`${line}\n`);
  const files = readPairFiles(wishes.directories);
  const record = new SeriesRecord(wishes.record, aboutSeries(files));
  const command = [process.execPath, process.argv[1] as string, "lab", ...wishes.directories];
  const pairOf = (flavours: Flavours, peer: string | undefined): SeriesPair => ({
    title: [...new Set(NODES.map((node) => flavours[node].title))].join(" with "),
    options: peer === undefined ? [] : ["--peer", peer],
    scenarios: wishes.scenarios.filter((scenario) => scenario.unsuited?.(flavours) === undefined),
  });
  const pairs = [pairOf(wishes.flavours, wishes.peer)];
  if (wishes.original !== undefined) pairs.push(pairOf(wishes.original, "both"));
  const { parallel } = wishes;
  const series = new Series({ pairs, runs: wishes.runs, parallel, command, record, print });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => series.stop());
  const isWhole = await series.run();
  const titles = pairs.map(({ title }) => title);
  const table = figuresTable(record.runs, titles, wishes.scenarios);
  print(`\n${table}`);
  if (wishes.table !== undefined) writeFileSync(wishes.table, `${aboutTable(parallel)}\n\n${table}\n`);
  return isWhole ? 0 : 1;
}

function machine(): string {
  return `node ${process.version}; ${cpus().length} × ${cpus()[0]?.model ?? "?"}`;
}

function aboutTable(parallel: number): string {
  const labs = parallel === 1 ? "one lab at a time" : `${parallel} labs at once`;
  return `Tandem ${TANDEM_VERSION}; ${machine()}; ${labs}`;
}

function aboutSeries(files: Readonly<Record<NodeName, NodeFiles>>): SeriesAbout {
  const programs = path.join(CHECKOUT, "dist", "programs");
  const ofPrograms = createHash("sha256");
  // What V8 has compiled is another one for every node.
  for (const name of readdirSync(programs).sort())
    if (!name.endsWith(".cache")) ofPrograms.update(readFileSync(path.join(programs, name)));
  const ofFiles = createHash("sha256");
  for (const node of NODES)
    for (const [name, { bytes }] of files[node]) ofFiles.update(`${node} ${name}\n`).update(bytes);
  const digest = (hash: Hash): string => hash.digest("hex").slice(0, 16);
  return { programs: digest(ofPrograms), files: digest(ofFiles), machine: machine() };
}
