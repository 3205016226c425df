/** What many runs of each scenario came to, pair beside pair: percentiles, as a table in Markdown. Pure. */
import type { Measurement } from "./scenario.ts";

/** One run, as it is recorded. */
export interface SeriesRun {
  /** Title of the pair. */
  readonly pair: string;
  readonly scenario: string;
  /** With everything that had to be set up for it. */
  readonly tookMs: number;
  readonly measurement?: Measurement;
  /** Why it could not be finished. */
  readonly error?: string;
}

/** A gap that clients notice; what a heal may cost. */
export const NOTICED_MS = 200;

/** The value that this share of the values does not exceed (nearest rank); undefined of none. */
export function percentile(values: readonly number[], share: number): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}

interface Row {
  readonly name: string;
  readonly title: string;
}

/** A row for each scenario that has a run, in the order of `scenarios`; columns for each pair. */
export function figuresTable(runs: readonly SeriesRun[], pairs: readonly string[], scenarios: readonly Row[]): string {
  const columns = pairs.flatMap((pair) => [
    `${pair}: runs`,
    "gap ms, p50 / p99 / max",
    `> ${NOTICED_MS} ms`,
    "failed, p50 / p99",
  ]);
  const lines = [`| scenario | ${columns.join(" | ")} |`, `|---|${columns.map(() => "---:").join("|")}|`];
  for (const { name, title } of scenarios) {
    const ofScenario = runs.filter(({ scenario }) => scenario === name);
    if (ofScenario.length === 0) continue;
    const cells = pairs.flatMap((pair) => cellsOf(ofScenario.filter((run) => run.pair === pair)));
    lines.push(`| ${title} | ${cells.join(" | ")} |`);
  }
  return [...lines, "", ...legend(runs, pairs)].join("\n");
}

function cellsOf(runs: readonly SeriesRun[]): readonly string[] {
  const measured = runs.flatMap(({ measurement }) => (measurement === undefined ? [] : [measurement]));
  const errors = runs.length - measured.length;
  const count = `${measured.length}${errors > 0 ? ` (${errors} not finished)` : ""}`;
  if (measured.length === 0) return [errors > 0 ? count : "–", "", "", ""];
  const gaps = measured.map(({ gapMs }) => gapMs);
  const failed = measured.map((run) => run.failed);
  const longest = Math.max(...gaps);
  const isOpen = measured.some(({ gapMs, open }) => open && gapMs === longest);
  const round = (value: number | undefined): string => String(Math.round(value ?? Number.NaN));
  return [
    count,
    `${round(percentile(gaps, 0.5))} / ${round(percentile(gaps, 0.99))} / ${round(longest)}${isOpen ? "+" : ""}`,
    String(gaps.filter((gapMs) => gapMs > NOTICED_MS).length),
    `${round(percentile(failed, 0.5))} / ${round(percentile(failed, 0.99))}`,
  ];
}

function legend(runs: readonly SeriesRun[], pairs: readonly string[]): readonly string[] {
  const several = runs.length > 0 ? "" : " No run has ended yet.";
  return [
    `gap: a client's longest time without an answer; + where it had not ended when the scenario did. > ${NOTICED_MS} ms: runs with such a gap.`,
    `failed: of about 100 requests a second, each given 200 ms. With fewer than 100 runs p99 is the greatest.${several}`,
    ...(pairs.length > 1 ? ["– where a pair can't be rehearsed in a scenario."] : []),
  ];
}
