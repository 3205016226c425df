/** The file of a series: a line about what is measured, then a line for each run, so that it can go on where it was ended. */
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { PlanError } from "./plan.ts";
import type { SeriesRun } from "./series-figures.ts";

/** What has to be the same for runs to belong together. */
export interface SeriesAbout {
  /** Digest of Tandem's programs. */
  readonly programs: string;
  /** Digest of the pair's files. */
  readonly files: string;
  /** `node v20.20.2; 2 × …`. */
  readonly machine: string;
}

export class SeriesRecord {
  readonly #file: string | undefined;
  readonly #runs: SeriesRun[] = [];

  /** Without a file everything is forgotten in the end. Throws `PlanError` when the file is about something else. */
  constructor(file: string | undefined, about: SeriesAbout) {
    this.#file = file;
    if (file === undefined) return;
    if (!existsSync(file)) {
      writeFileSync(file, `${JSON.stringify(about)}\n`);
      return;
    }
    const text = readFileSync(file, "utf8");
    const [head, ...lines] = text.split("\n");
    const known = parseLine<SeriesAbout>(head ?? "");
    const different = (["programs", "files", "machine"] as const).filter((what) => known?.[what] !== about[what]);
    if (different.length > 0)
      throw new PlanError(`${file} has runs of other ${different.join(" and ")}: name another file, or remove it`);
    // A line that was cut when the machine went down is a run that has not been.
    if (!text.endsWith("\n")) appendFileSync(file, "\n");
    for (const line of lines) {
      const run = parseLine<SeriesRun>(line);
      if (run !== undefined) this.#runs.push(run);
    }
  }

  get runs(): readonly SeriesRun[] {
    return this.#runs;
  }

  /** How often a pair has been in a scenario. */
  count(pair: string, scenario: string): number {
    return this.#runs.filter((run) => run.pair === pair && run.scenario === scenario).length;
  }

  add(run: SeriesRun): void {
    this.#runs.push(run);
    if (this.#file !== undefined) appendFileSync(this.#file, `${JSON.stringify(run)}\n`);
  }
}

function parseLine<T>(line: string): T | undefined {
  try {
    return JSON.parse(line) as T;
  } catch {
    return undefined;
  }
}
