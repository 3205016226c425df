/** The rehearsal's results: a table for people, JSON for programs. Pure. */
import type { NodeName } from "./plan.ts";
import { REFERENCES } from "./reference.ts";
import type { Measurement } from "./scenario.ts";

/** One scenario, run once or several times. */
export interface Result {
  readonly scenario: string;
  readonly title: string;
  /** The variant of the configuration. */
  readonly variant: string;
  readonly runs: readonly Measurement[];
  /** Why a run could not be finished. */
  readonly errors: readonly string[];
}

export type Verdict = "ok" | "broken" | "error";

/** `ok` when every expectation of every run holds, a run that was repeated for its delay excepted. */
export function verdictOf({ runs, errors }: Result): Verdict {
  if (errors.length > 0) return "error";
  return runs.filter((run) => run.repeated !== true).every((run) => run.expectations.every(({ holds }) => holds))
    ? "ok"
    : "broken";
}

/** Least, median and greatest; of one value that value. */
export function spread(values: readonly number[]): string {
  if (values.length === 0) return "";
  const sorted = [...values].sort((a, b) => a - b);
  const least = Math.round(sorted[0] as number);
  const greatest = Math.round(sorted.at(-1) as number);
  if (values.length === 1) return String(least);
  return `${least}/${Math.round(medianOf(sorted))}/${greatest}`;
}

function medianOf(sorted: readonly number[]): number {
  const middle = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(middle)] as number) + (sorted[Math.ceil(middle)] as number)) / 2;
}

function distinct(values: readonly string[]): string {
  return [...new Set(values)].join(",");
}

const nodeText = (node: NodeName | undefined): string => node ?? "–";

/** The cells of a result's row. */
function row(result: Result): readonly string[] {
  const { runs, scenario, title } = result;
  const reference = REFERENCES[scenario];
  const allowed = runs.flatMap((run) => (run.allowedMs === undefined ? [] : [run.allowedMs]));
  const gaps = runs.map((run) => run.gapMs);
  const isOpen = runs.some((run) => run.open);
  return [
    title,
    distinct(runs.map((run) => `${nodeText(run.before)} → ${nodeText(run.after)}`)),
    `${spread(gaps)}${isOpen ? "+" : ""}`,
    spread(runs.map((run) => run.failed)),
    allowed.length === 0 ? "" : spread([Math.max(...allowed)]),
    reference === undefined ? "" : `${reference.minMs}/${reference.medianMs}/${reference.maxMs}`,
    verdictOf(result),
  ];
}

const HEADERS = ["scenario", "answers", "gap ms", "failed", "timers ms", "keepalived ms", ""] as const;
/** Columns of numbers are aligned to the right. */
const RIGHT = [false, false, true, true, true, true, false];

/** The table, and below it every expectation that was broken. */
export function printTable(results: readonly Result[]): string {
  const rows = [HEADERS as readonly string[], ...results.map(row)];
  const widths = HEADERS.map((_, i) => Math.max(...rows.map((cells) => (cells[i] as string).length)));
  const lines = rows.map((cells) =>
    cells
      .map((cell, i) => (RIGHT[i] ? cell.padStart(widths[i] as number) : cell.padEnd(widths[i] as number)))
      .join("  ")
      .trimEnd(),
  );
  lines.splice(1, 0, widths.map((width) => "─".repeat(width)).join("  "));
  return [...lines, "", ...notes(results), ...complaints(results)].join("\n");
}

/** What the columns are, and the conditions of the reference. */
function notes(results: readonly Result[]): readonly string[] {
  const several = results.some((result) => result.runs.length > 1) ? " (least/median/greatest of the runs)" : "";
  const remarks = results.flatMap(({ scenario, title }) => {
    const remark = REFERENCES[scenario]?.remark;
    return remark === undefined ? [] : [`  ${title}: ${remark}`];
  });
  // Of several runs each has told its own when it ended.
  const also = results.flatMap(({ title, runs }) =>
    (runs.length > 1 ? [] : runs).flatMap(({ note }) =>
      note === undefined || note === "" ? [] : [`  ${title}: ${note}`],
    ),
  );
  return [
    ...also,
    ...(also.length > 0 ? [""] : []),
    `gap: the client's longest time without an answer${several}; failed: of about 100 requests a second, each given 200 ms.`,
    "timers: what VRRP's timers allow. keepalived: nginx 1.22.1 + keepalived 2.2.7 in the same scenario, least/median/greatest,",
    "measured on a two-core machine with the tutorial's files.",
    ...(remarks.length > 0 ? ["Where its conditions differ, and what else it did:", ...remarks] : []),
  ];
}

function complaints(results: readonly Result[]): readonly string[] {
  const lines = results.flatMap((result) => [
    ...result.errors.map((error) => `  ${result.title}: ${error}`),
    ...result.runs
      .filter((run) => run.repeated !== true)
      .flatMap((run) =>
        run.expectations.filter(({ holds }) => !holds).map(({ what }) => `  ${result.title}: expected ${what}`),
      ),
  ]);
  return lines.length === 0 ? [] : ["", "Broken:", ...lines];
}

/** The live line of a finished run. */
export function printRun(measurement: Measurement): string {
  const { before, after, gapMs, open, failed, attempts, allowedMs, allowedBy, bothHeldMs, note } = measurement;
  const broken = measurement.expectations.filter(({ holds }) => !holds);
  return [
    `${broken.length === 0 ? "✓" : "✗"} ${nodeText(before)} → ${nodeText(after)}`,
    `gap ${Math.round(gapMs)} ms${open ? " and longer" : ""}`,
    ...(allowedMs === undefined ? [] : [`allowed ${Math.round(allowedMs)} ms (${allowedBy})`]),
    `${failed} of ${attempts} requests failed`,
    ...(bothHeldMs >= 1 ? [`both held the address for ${Math.round(bothHeldMs)} ms`] : []),
    ...(note === undefined || note === "" ? [] : [note]),
    ...broken.map(({ what }) => `expected ${what}`),
  ].join(", ");
}

/** Everything that was measured, for `--json`. */
export function toJson(results: readonly Result[], about: Readonly<Record<string, unknown>>): string {
  const scenarios = results.map((result) => ({
    ...result,
    verdict: verdictOf(result),
    reference: REFERENCES[result.scenario] ?? null,
  }));
  return JSON.stringify({ ...about, scenarios }, null, 2);
}
