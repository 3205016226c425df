/**
 * `npm run bench [-- WORD…] [--seconds N] [--rounds N] [--nginx FILE] [--tandem FILE] [--tandem-events TEXT] [--list]`: runs the works whose
 * subject or name has one of the words, and prints their tables. A subject whose works have all run is written to bench/results/.
 * Needs nginx, wrk and taskset (Debian: nginx-light wrk util-linux); haproxy is measured where it is installed.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { TANDEM_VERSION } from "../src/base/version.ts";
import { compareCosts } from "./cost.ts";
import { compareMemory, MEMORY_WORK } from "./idle-memory.ts";
import { compareLatencies, LATENCY_WORK } from "./latency.ts";
import { type Effort, findPrograms, type Programs } from "./programs.ts";
import { compareStarts, START_WORK } from "./start-up.ts";
import { Report } from "./table.ts";
import { HTTP_WORKS } from "./works/http.ts";
import { PROXY_WORKS } from "./works/proxy.ts";
import { STREAM_WORKS } from "./works/stream.ts";
import type { Work } from "./works/work.ts";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");

const TANDEM = path.join(root, "bin/nginx");

/** One results file. */
interface Subject {
  readonly name: string;
  readonly works: readonly string[];
  run(selected: readonly string[], programs: Programs, effort: Effort, report: Report): Promise<void>;
}

const costs = (name: string, works: readonly Work[]): Subject => ({
  name,
  works: works.map((work) => work.name),
  run: (selected, programs, effort, report) =>
    compareCosts(
      works.filter((work) => selected.includes(work.name)),
      programs,
      effort,
      report,
    ),
});

const SUBJECTS: readonly Subject[] = [
  costs("http", HTTP_WORKS),
  costs("proxy", PROXY_WORKS),
  costs("stream", STREAM_WORKS),
  {
    name: "latency",
    works: [LATENCY_WORK],
    run: (_, programs, effort, report) => compareLatencies(programs, effort, report),
  },
  {
    name: "start",
    works: [START_WORK],
    run: (_, programs, effort, report) => compareStarts(programs, effort, report),
  },
  { name: "memory", works: [MEMORY_WORK], run: (_, programs, _effort, report) => compareMemory(programs, report) },
];

const { values: options, positionals: words } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: "string", default: "5" },
    rounds: { type: "string", default: "3" },
    nginx: { type: "string", default: "nginx" },
    tandem: { type: "string", default: TANDEM },
    "tandem-events": { type: "string", default: "" },
    list: { type: "boolean", default: false },
  },
});

function selectedOf(subject: Subject): readonly string[] {
  if (words.length === 0 || words.includes(subject.name)) return subject.works;
  return subject.works.filter((work) => words.some((word) => work.includes(word)));
}

async function main(): Promise<number> {
  if (options.list) {
    for (const subject of SUBJECTS) for (const work of subject.works) console.log(`${subject.name}: ${work}`);
    return 0;
  }
  const programs = findPrograms(options.nginx, options.tandem);
  if (typeof programs === "string") {
    console.error(`bench: ${programs}`);
    return 1;
  }
  const effort = {
    seconds: Number(options.seconds),
    rounds: Number(options.rounds),
    tandemEvents: options["tandem-events"],
  };
  const machine = `node ${process.version}; ${cpus().length} × ${cpus()[0]?.model ?? "?"}`;
  const title = `Tandem ${TANDEM_VERSION} against ${programs.nginx.name}; ${machine}; ${effort.rounds} rounds of ${effort.seconds} s`;
  console.log(title);
  for (const subject of SUBJECTS) {
    const selected = selectedOf(subject);
    if (selected.length === 0) continue;
    console.log();
    const report = new Report();
    await subject.run(selected, programs, effort, report);
    // Figures of a part of a subject, or of another binary, are for the eyes only.
    if (selected.length < subject.works.length || options.tandem !== TANDEM) continue;
    mkdirSync(path.join(root, "bench/results"), { recursive: true });
    writeFileSync(path.join(root, `bench/results/${subject.name}.md`), `${title}\n\n${report.text}`);
  }
  return 0;
}

process.exit(await main());
