/**
 * A series: every scenario so many times, for one pair or for two side by side. Each pass through the scenarios is a lab of its own, a process
 * in its own namespaces with its own directory, so several can run at once; what needs a processor for itself runs alone afterwards.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Measurement, Scenario } from "./scenario.ts";
import { percentile, type SeriesRun } from "./series-figures.ts";
import type { SeriesRecord } from "./series-record.ts";
import { nowMs } from "./time.ts";

/** A pair that is measured. */
export interface SeriesPair {
  /** `Tandem`, `nginx + keepalived`. */
  readonly title: string;
  /** Options of `tandem lab` that make its nodes what they are. */
  readonly options: readonly string[];
  readonly scenarios: readonly Scenario[];
}

export interface SeriesOptions {
  readonly pairs: readonly SeriesPair[];
  readonly runs: number;
  /** Labs at once. */
  readonly parallel: number;
  /** The program and its arguments up to `lab DIR`. */
  readonly command: readonly string[];
  readonly record: SeriesRecord;
  readonly print: (line: string) => void;
}

/** One lab: every one of these scenarios so many times. */
interface Pass {
  readonly pair: SeriesPair;
  readonly scenarios: readonly Scenario[];
  readonly runs: number;
}

/** What a lab tells of a run that has ended. */
export interface StreamedRun {
  readonly scenario: string;
  readonly measurement?: Measurement;
  readonly error?: string;
}

/** What a run takes as long as none has been made: for the first estimate. */
const TYPICAL_RUN_MS = 9000;
/** Of a lab's messages the last ones are told when it fails. */
const LAST_LINES = 5;
/** A lab of few scenarios makes several runs of each: to build it takes as long as some of them. */
const RUNS_OF_A_LAB = 10;

export class Series {
  readonly #options: SeriesOptions;
  readonly #labs = new Set<ChildProcess>();
  #isOver = false;

  constructor(options: SeriesOptions) {
    this.#options = options;
  }

  /** Makes the runs that the record lacks. False when a lab could not be run at all, or `stop` was called. */
  async run(): Promise<boolean> {
    const { parallel, print } = this.#options;
    const beside = this.#passes(({ isAlone }) => isAlone !== true);
    const alone = this.#passes(({ isAlone }) => isAlone === true);
    const all = [...beside, ...alone].reduce((sum, { scenarios, runs }) => sum + scenarios.length * runs, 0);
    print(
      `${all} runs in ${beside.length + alone.length} labs, ${parallel} at once: about ${printDuration(this.#leftMs(beside, alone))}`,
    );
    const isWhole = (await this.#work(beside, parallel, alone)) && (await this.#work(alone, 1, []));
    return isWhole && !this.#isOver;
  }

  /** Ends the labs that run; what they have measured is kept. */
  stop(): void {
    this.#isOver = true;
    for (const lab of this.#labs) lab.kill("SIGTERM");
  }

  /** Up to n runs of each, then some more; pairs take turns, so that both meet the same moods of the machine. */
  #passes(belongs: (scenario: Scenario) => boolean): readonly Pass[] {
    const { pairs, runs, record } = this.#options;
    const most = Math.max(1, ...pairs.map(({ scenarios }) => scenarios.filter(belongs).length));
    const batch = Math.max(1, Math.floor(RUNS_OF_A_LAB / most));
    const passes: Pass[] = [];
    for (let done = 0; done < runs; done += batch)
      for (const pair of pairs) {
        const upTo = Math.min(runs, done + batch);
        const made = ({ name }: Scenario): number => record.count(pair.title, name);
        const scenarios = pair.scenarios.filter((scenario) => belongs(scenario) && made(scenario) < upTo);
        const least = Math.max(done, Math.min(...scenarios.map(made)));
        if (scenarios.length > 0) passes.push({ pair, scenarios, runs: upTo - least });
      }
    return passes;
  }

  async #work(passes: readonly Pass[], parallel: number, behind: readonly Pass[]): Promise<boolean> {
    const queue = [...passes];
    let isWhole = true;
    const worker = async (): Promise<void> => {
      for (let pass = queue.shift(); pass !== undefined && !this.#isOver; pass = queue.shift()) {
        if (!(await this.#runLab(pass))) {
          isWhole = false;
          return;
        }
        this.#options.print(`about ${printDuration(this.#leftMs(queue, behind))} left`);
      }
    };
    await Promise.all(Array.from({ length: parallel }, worker));
    return isWhole;
  }

  #runLab({ pair, scenarios, runs }: Pass): Promise<boolean> {
    const { command, record, print } = this.#options;
    const names = scenarios.map(({ name }) => name);
    const [program, ...args] = [
      ...command,
      ...pair.options,
      "--stream",
      "--runs",
      String(runs),
      "--scenario",
      names.join(","),
    ];
    const lab = spawn(program as string, args, { stdio: ["ignore", "pipe", "pipe", "ipc"] });
    this.#labs.add(lab);
    const said: string[] = [];
    createInterface({ input: lab.stderr as NonNullable<typeof lab.stderr> }).on("line", (line) => {
      said.push(line);
      if (said.length > LAST_LINES) said.shift();
    });
    let lastMs = nowMs();
    createInterface({ input: lab.stdout as NonNullable<typeof lab.stdout> }).on("line", (line) => {
      const run = JSON.parse(line) as StreamedRun;
      const tookMs = nowMs() - lastMs;
      lastMs = nowMs();
      // A lab measures its noise even when nobody asks, and one of an earlier series may have been ended in the middle of its runs.
      const isWanted = names.includes(run.scenario) && record.count(pair.title, run.scenario) < this.#options.runs;
      if (!isWanted) return;
      record.add({ pair: pair.title, tookMs, ...run });
      print(`${pair.title}, ${run.scenario}: ${printOutcome(run)}`);
    });
    return new Promise((resolve) => {
      const end = (isRun: boolean, why: string): void => {
        this.#labs.delete(lab);
        if (!isRun && !this.#isOver) print(`a lab of ${pair.title} could not be run (${why}): ${said.join(" / ")}`);
        resolve(isRun);
      };
      lab.on("error", (error) => end(false, error.message));
      // 1: an expectation was broken, which the figures show.
      lab.on("close", (status, signal) => end(status === 0 || status === 1, signal ?? `status ${status}`));
    });
  }

  /** From what runs have taken so far. */
  #leftMs(beside: readonly Pass[], alone: readonly Pass[]): number {
    const { record, parallel } = this.#options;
    const known = new Map<string, number>();
    const tookMs = ({ pair, scenarios, runs }: Pass): number =>
      runs *
      scenarios.reduce((sum, { name }) => {
        const key = `${pair.title} ${name}`;
        const oneMs = known.get(key) ?? typicalMs(record.runs, pair.title, name);
        known.set(key, oneMs);
        return sum + oneMs;
      }, 0);
    const sumOf = (passes: readonly Pass[]): number => passes.reduce((sum, pass) => sum + tookMs(pass), 0);
    return sumOf(beside) / parallel + sumOf(alone);
  }
}

function typicalMs(runs: readonly SeriesRun[], pair: string, scenario: string): number {
  const alike = runs.filter((run) => run.scenario === scenario);
  const own = alike.filter((run) => run.pair === pair);
  const took = (own.length > 0 ? own : alike).map(({ tookMs }) => tookMs);
  return percentile(took, 0.5) ?? TYPICAL_RUN_MS;
}

function printOutcome({ measurement, error }: StreamedRun): string {
  if (measurement === undefined) return `not finished: ${error}`;
  const { gapMs, open, failed } = measurement;
  return `gap ${Math.round(gapMs)} ms${open ? " and longer" : ""}, ${failed} failed`;
}

/** `2 h 5 min`, `3 min`, `40 s`. */
export function printDuration(durationMs: number): string {
  const minutes = Math.round(durationMs / 60_000);
  if (minutes < 1) return `${Math.round(durationMs / 1000)} s`;
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
