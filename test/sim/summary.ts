/** What many seeds came to, and which ones those were: added up seed by seed, merged range by range, written to a file and read back. Pure. */
import type { Outcome } from "./story.ts";

/** Seeds, both ends included. */
export type Range = readonly [from: number, to: number];

export interface Summary {
  /** Of the code that has told the stories: seeds of other code can't be added. */
  readonly code: string;
  /** In order, none touching the next. */
  readonly ranges: readonly Range[];
  readonly virtualMs: number;
  readonly packets: number;
  /** Processor time, of all threads. */
  readonly cpuMs: number;
  /** How often each fault was told of. */
  readonly faults: Readonly<Record<string, number>>;
  readonly brokenCount: number;
  /** The lowest seeds that broke a promise, with which one: at most `MAX_BROKEN`. */
  readonly broken: readonly { readonly seed: number; readonly violation: string }[];
}

/** Broken promises that are kept with their story. */
export const MAX_BROKEN = 20;

/** Summaries that can't be one. */
export class SummaryError extends Error {
  override readonly name = "SummaryError";
}

export function emptySummary(code: string): Summary {
  return { code, ranges: [], virtualMs: 0, packets: 0, cpuMs: 0, faults: {}, brokenCount: 0, broken: [] };
}

/** A block of seeds that have been told one behind the other. */
export function summaryOf(code: string, outcomes: readonly Outcome[], cpuMs: number): Summary {
  const faults: Record<string, number> = {};
  let virtualMs = 0;
  let packets = 0;
  const broken: { seed: number; violation: string }[] = [];
  for (const outcome of outcomes) {
    virtualMs += outcome.virtualMs;
    packets += outcome.packets;
    for (const fault of outcome.faults) faults[fault] = (faults[fault] ?? 0) + 1;
    if (outcome.violation !== undefined) broken.push({ seed: outcome.seed, violation: outcome.violation });
  }
  const first = outcomes[0];
  const ranges: Range[] = first === undefined ? [] : [[first.seed, first.seed + outcomes.length - 1]];
  const brokenCount = broken.length;
  return { code, ranges, virtualMs, packets, cpuMs, faults, brokenCount, broken: broken.slice(0, MAX_BROKEN) };
}

/** Both together. Throws `SummaryError` when they are of different code, or have a seed in common. */
export function mergeSummaries(a: Summary, b: Summary): Summary {
  if (a.code !== b.code) throw new SummaryError(`seeds of different code can't be added up (${a.code} and ${b.code})`);
  const faults: Record<string, number> = { ...a.faults };
  for (const [name, count] of Object.entries(b.faults)) faults[name] = (faults[name] ?? 0) + count;
  return {
    code: a.code,
    ranges: mergeRanges([...a.ranges, ...b.ranges]),
    virtualMs: a.virtualMs + b.virtualMs,
    packets: a.packets + b.packets,
    cpuMs: a.cpuMs + b.cpuMs,
    faults,
    brokenCount: a.brokenCount + b.brokenCount,
    broken: [...a.broken, ...b.broken].sort((x, y) => x.seed - y.seed).slice(0, MAX_BROKEN),
  };
}

function mergeRanges(ranges: readonly Range[]): readonly Range[] {
  const merged: Range[] = [];
  for (const [from, to] of ranges.toSorted(([a], [b]) => a - b)) {
    const last = merged.at(-1);
    if (last !== undefined && from <= last[1]) throw new SummaryError(`seed ${from} is in both summaries`);
    if (last !== undefined && from === last[1] + 1) merged[merged.length - 1] = [last[0], to];
    else merged.push([from, to]);
  }
  return merged;
}

/** The next seeds of `[at, to]` that are not in `done`, at most `size` of them; undefined: there are none left. */
export function nextBlock(done: readonly Range[], at: number, to: number, size: number): Range | undefined {
  let from = at;
  for (const [first, last] of done) {
    if (from < first) return from > to ? undefined : [from, Math.min(from + size - 1, to, first - 1)];
    if (from <= last) from = last + 1;
  }
  return from > to ? undefined : [from, Math.min(from + size - 1, to)];
}

export function seedsOf({ ranges }: Summary): number {
  return ranges.reduce((sum, [from, to]) => sum + to - from + 1, 0);
}

/** For people. */
export function printSummary(summary: Summary): string {
  const { ranges, virtualMs, packets, cpuMs, faults, brokenCount, broken } = summary;
  const seeds = seedsOf(summary);
  const which = ranges.map(([from, to]) => (from === to ? `${from}` : `${from} to ${to}`)).join(", ");
  const perSecond = cpuMs === 0 ? "" : `, ${((seeds * 1000) / cpuMs).toFixed(1)} seeds a second of one core`;
  const told = Object.entries(faults).sort(([a], [b]) => (a < b ? -1 : 1));
  const lines = [
    `${seeds} seeds of three nodes (${which}): ${(virtualMs / 3_600_000).toFixed(1)} simulated hours, ${packets} packets, ${(cpuMs / 60_000).toFixed(1)} minutes of processor time${perSecond}`,
    `faults: ${told.map(([name, count]) => `${count} ${name}`).join(", ")}`,
  ];
  if (brokenCount === 0) return [...lines, "every promise was kept"].join("\n");
  const most = brokenCount > broken.length ? " …" : "";
  return [...lines, `${brokenCount} broken: ${broken.map(({ seed }) => seed).join(" ")}${most}`].join("\n");
}
