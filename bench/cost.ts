/**
 * CPU time per request of a server's whole process tree. In every round all programs run at the same time, each is asked for a second (a slice) in turn,
 * and a slice is compared with the other programs' slices next to it: what else this machine does comes and goes, and meets all of them
 * alike. What a program spends while the others are asked (collecting garbage, timers) is counted to its own slice before.
 */
import { freePort } from "../test/support/server-process.ts";
import type { EchoResult } from "./load/echo-clients.ts";
import { loadProgram, runLoadProgram } from "./load-program.ts";
import { treeCpuUs } from "./process-tree.ts";
import { type Effort, LOAD_CPU, type Programs, SERVER_CPU } from "./programs.ts";
import {
  makeFolder,
  type RunningServer,
  refusal,
  type ServerProgram,
  startLoadProgram,
  startServer,
} from "./server.ts";
import { median, quantile, type Report } from "./table.ts";
import { backEndConfiguration } from "./works/proxy.ts";
import type { EchoLoad, Work } from "./works/work.ts";
import { type Loaded, runWrk } from "./wrk.ts";

/** One slice of one program. */
interface Slice extends Loaded {
  readonly cpuUsPerRequest: number;
}

const WRK_SLICE_SECONDS = 1;
/** Thousands of connections are made in each slice. */
const ECHO_SLICE_SECONDS = 4;
/** Until the code is compiled and the buffers are there: V8 optimises what has run some thousand times, and files of 1 MB are a thousand a second. */
const WARM_UP_REQUESTS = 20_000;
const WARM_UP_SLICE_SECONDS = 3;
const WARM_UP_SLICES = 7;

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
  const head = ["work", ...costs, "Tandem to nginx (quartiles)", "goal", ...rates, "failed"];
  report.row(...head);
  report.row("---", ...head.slice(1).map(() => "--:"));
  for (const work of works) {
    const refused = await refusedBy(work, [nginx, tandem], effort);
    if (refused !== undefined) {
      report.row(work.name, `skipped: ${refused}`, ...head.slice(2).map(() => ""));
      continue;
    }
    const runs = [nginx, tandem, ...(haproxy === undefined ? [] : [haproxy])];
    report.row(work.name, ...cells(await measureRounds(runs, work, programs, effort), work.goal));
  }
}

function cells(slices: readonly (readonly Slice[])[], goal: number): string[] {
  const [theirs = [], ours = []] = slices;
  const ratios = ours.map((our, i) => our.cpuUsPerRequest / (theirs[i]?.cpuUsPerRequest ?? Number.NaN));
  const range = `(${quantile(ratios, 0.25).toFixed(2)} … ${quantile(ratios, 0.75).toFixed(2)})`;
  const cell = (of: (slice: Slice) => number, digits: number) => (list: readonly Slice[]) =>
    list.length === 0 ? "–" : median(list.map(of)).toFixed(digits);
  return [
    ...slices.map(cell(({ cpuUsPerRequest }) => cpuUsPerRequest, 2)),
    `**${median(ratios).toFixed(2)}** ${range}`,
    `≤ ${goal}`,
    ...slices.map(cell(({ perSecond }) => perSecond, 0)),
    slices.map((list) => list.reduce((sum, { failed }) => sum + failed, 0)).join(" / "),
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

/** A program at work. */
interface Runner {
  readonly port: number;
  readonly folder: string;
  readonly pid: number;
}

/**
 * The slices of each program, in the order of the programs; none for one that can't do this work. Every round starts the programs anew: the same
 * program costs some more or less with every start, by where its memory happens to lie.
 */
async function measureRounds(
  runs: readonly ServerProgram[],
  work: Work,
  programs: Programs,
  effort: Effort,
): Promise<readonly (readonly Slice[])[]> {
  const rounds: (readonly (readonly Slice[])[])[] = [];
  for (let round = 0; round < effort.rounds; round++) rounds.push(await measureRound(runs, work, programs, effort));
  return runs.map((_, i) => rounds.flatMap((round) => round[i] ?? []));
}

async function measureRound(
  runs: readonly ServerProgram[],
  work: Work,
  { nginx }: Programs,
  effort: Effort,
): Promise<readonly (readonly Slice[])[]> {
  const backEndPort = await freePort();
  const folders: { remove(): void }[] = [];
  const running: RunningServer[] = [];
  const newFolder = (): string => {
    const made = makeFolder();
    folders.push(made);
    return made.folder;
  };
  try {
    if (work.backEnd === "nginx") {
      const configuration = backEndConfiguration(backEndPort);
      running.push(await startServer(nginx, { folder: newFolder(), port: backEndPort, cpu: LOAD_CPU, configuration }));
    }
    if (work.backEnd === "echo")
      running.push(await startLoadProgram(loadProgram("echo-back-end"), backEndPort, LOAD_CPU));
    const runners: (Runner | undefined)[] = [];
    for (const program of runs) {
      const write = program.kind === "nginx" ? work.nginx : work.haproxy;
      if (write === undefined) {
        runners.push(undefined);
        continue;
      }
      const folder = newFolder();
      const port = await freePort();
      const configuration = write({ port, backEndPort, events: eventsOf(program, effort) });
      const server = await startServer(program, { folder, configuration, port, cpu: SERVER_CPU });
      running.push(server);
      runners.push({ port, folder, pid: server.pid });
    }
    return await takeSlices(work, runners, effort.seconds);
  } finally {
    for (const server of running.reverse()) await server.stop();
    for (const folder of folders) folder.remove();
  }
}

/** `seconds`: for each program, behind a warm-up. */
async function takeSlices(
  { load }: Work,
  runners: readonly (Runner | undefined)[],
  seconds: number,
): Promise<readonly (readonly Slice[])[]> {
  const sliceSeconds = load.kind === "wrk" ? WRK_SLICE_SECONDS : ECHO_SLICE_SECONDS;
  const ask = ({ port, folder }: Runner, lasts: number): Promise<Loaded> =>
    load.kind === "wrk" ? runWrk(load, port, lasts, folder) : runEcho(load, port, lasts);
  for (const runner of runners) {
    if (runner === undefined) continue;
    for (let done = 0, slices = 0; done < WARM_UP_REQUESTS && slices < WARM_UP_SLICES; slices++)
      done += (await ask(runner, WARM_UP_SLICE_SECONDS)).requests;
  }
  const loads = runners.map((): Loaded[] => []);
  /** CPU time of each program at the begin of each of its slices, and at the end of all. */
  const spent = runners.map((): number[] => []);
  const turns = [...runners.entries()];
  for (let begun = 0; begun < seconds; begun += sliceSeconds) {
    for (const [i, runner] of turns) {
      if (runner === undefined) continue;
      spent[i]?.push(treeCpuUs(runner.pid));
      loads[i]?.push(await ask(runner, sliceSeconds));
    }
    // Nobody always comes first.
    turns.reverse();
  }
  for (const [i, runner] of turns) if (runner !== undefined) spent[i]?.push(treeCpuUs(runner.pid));
  return loads.map((list, i) =>
    list.map((loaded, n) => {
      const [before = 0, after = 0] = spent[i]?.slice(n) ?? [];
      return { ...loaded, cpuUsPerRequest: (after - before) / loaded.requests };
    }),
  );
}

async function runEcho(
  { connections, inFlight, messageBytes }: EchoLoad,
  port: number,
  seconds: number,
): Promise<Loaded> {
  const line = await runLoadProgram("echo-clients", [port, connections, inFlight, messageBytes, seconds]);
  const { messages, failed, perSecond } = JSON.parse(line) as EchoResult;
  return { requests: messages, failed, perSecond };
}
