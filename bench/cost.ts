/**
 * CPU time per request of a server's whole process tree: same configuration, same run, in turn.
 * A ratio within one run means something on a shared machine, an absolute does not: the table shows the ratio's median.
 */
import { freePort } from "../test/support/server-process.ts";
import type { EchoResult } from "./load/echo-clients.ts";
import { loadProgram, runLoadProgram } from "./load-program.ts";
import { treeCpuMs } from "./process-tree.ts";
import { type Effort, LOAD_CPU, type Programs, SERVER_CPU } from "./programs.ts";
import {
  makeFolder,
  type RunningServer,
  refusal,
  type ServerProgram,
  startLoadProgram,
  startServer,
} from "./server.ts";
import { median, type Report } from "./table.ts";
import { backEndConfiguration } from "./works/proxy.ts";
import type { Work } from "./works/work.ts";
import { type Loaded, runWrk } from "./wrk.ts";

interface Sample extends Loaded {
  readonly cpuUsPerRequest: number;
}

/** Prints one row for each work; a work that a program refuses is told with the reason. */
export async function compareCosts(
  works: readonly Work[],
  programs: Programs,
  effort: Effort,
  report: Report,
): Promise<void> {
  const { nginx, tandem, haproxy } = programs;
  const others = haproxy === undefined ? [] : [haproxy.name];
  const costs = [nginx.name, tandem.name, ...others].map((name) => `${name} µs CPU/request`);
  const rates = [nginx.name, tandem.name, ...others].map((name) => `${name} req/s`);
  const head = ["work", ...costs, "Tandem to nginx (min … max)", "goal", ...rates, "failed"];
  report.row(...head);
  report.row("---", ...head.slice(1).map(() => "--:"));
  for (const work of works) {
    const refused = await refusedBy(work, [nginx, tandem], effort);
    if (refused !== undefined) {
      report.row(work.name, `skipped: ${refused}`, ...head.slice(2).map(() => ""));
      continue;
    }
    const runs = [nginx, tandem, ...(haproxy === undefined ? [] : [haproxy])];
    const samples = runs.map((): Sample[] => []);
    for (let round = 0; round < effort.rounds; round++)
      for (const [i, program] of runs.entries()) {
        const sample = await measure(program, work, programs, effort);
        if (sample !== undefined) samples[i]?.push(sample);
      }
    report.row(work.name, ...cells(samples, work.goal));
  }
}

function cells(samples: readonly (readonly Sample[])[], goal: number): string[] {
  const [theirs = [], ours = []] = samples;
  const ratios = ours.map((our, i) => our.cpuUsPerRequest / (theirs[i]?.cpuUsPerRequest ?? Number.NaN));
  const range = `(${Math.min(...ratios).toFixed(2)} … ${Math.max(...ratios).toFixed(2)})`;
  const cell = (of: (sample: Sample) => number, digits: number) => (list: readonly Sample[]) =>
    list.length === 0 ? "–" : median(list.map(of)).toFixed(digits);
  return [
    ...samples.map(cell(({ cpuUsPerRequest }) => cpuUsPerRequest, 2)),
    `**${median(ratios).toFixed(2)}** ${range}`,
    `≤ ${goal}`,
    ...samples.map(cell(({ perSecond }) => perSecond, 0)),
    samples.map((list) => list.reduce((sum, { failed }) => sum + failed, 0)).join(" / "),
  ];
}

/** Which of the programs refuses the work's configuration, and why. */
async function refusedBy(work: Work, programs: readonly ServerProgram[], effort: Effort): Promise<string | undefined> {
  const { folder, remove } = makeFolder();
  try {
    for (const program of programs) {
      const place = { port: await freePort(), backEndPort: await freePort(), events: eventsOf(program, effort) };
      const reason = refusal(program, { folder, configuration: work.nginx(place), port: place.port, cpu: SERVER_CPU });
      if (reason !== undefined) return `${program.name} says ${reason}`;
    }
    return undefined;
  } finally {
    remove();
  }
}

const eventsOf = ({ name }: ServerProgram, { tandemEvents }: Effort): string => (name === "Tandem" ? tandemEvents : "");

async function measure(
  program: ServerProgram,
  work: Work,
  { nginx }: Programs,
  effort: Effort,
): Promise<Sample | undefined> {
  const place = { port: await freePort(), backEndPort: await freePort(), events: eventsOf(program, effort) };
  const write = program.kind === "nginx" ? work.nginx : work.haproxy;
  if (write === undefined) return undefined;
  const { folder, remove } = makeFolder();
  const behind = makeFolder();
  const running: RunningServer[] = [];
  try {
    const backEnd = { folder: behind.folder, port: place.backEndPort, cpu: LOAD_CPU };
    if (work.backEnd === "nginx")
      running.push(await startServer(nginx, { ...backEnd, configuration: backEndConfiguration(place.backEndPort) }));
    if (work.backEnd === "echo")
      running.push(await startLoadProgram(loadProgram("echo-back-end"), place.backEndPort, LOAD_CPU));
    const server = await startServer(program, {
      folder,
      configuration: write(place),
      port: place.port,
      cpu: SERVER_CPU,
    });
    running.push(server);
    return await loadAndMeasure(work, place.port, effort.seconds, server.pid, folder);
  } finally {
    for (const server of running.reverse()) await server.stop();
    remove();
    behind.remove();
  }
}

/** A warm-up of the same kind, then the load that counts. */
async function loadAndMeasure(
  { load }: Work,
  port: number,
  seconds: number,
  pid: number,
  folder: string,
): Promise<Sample> {
  let before = 0;
  let after = 0;
  let loaded: Loaded;
  if (load.kind === "wrk") {
    await runWrk(load, port, Math.max(1, Math.round(seconds / 3)), folder);
    before = treeCpuMs(pid);
    loaded = await runWrk(load, port, seconds, folder);
    after = treeCpuMs(pid);
  } else {
    const args = [port, load.connections, load.inFlight, load.messageBytes, seconds];
    const line = await runLoadProgram("echo-clients", args, (word) => {
      if (word === "begin") before = treeCpuMs(pid);
      if (word === "end") after = treeCpuMs(pid);
    });
    const { messages, failed, perSecond } = JSON.parse(line) as EchoResult;
    loaded = { requests: messages, failed, perSecond };
  }
  return { ...loaded, cpuUsPerRequest: ((after - before) * 1000) / loaded.requests };
}
