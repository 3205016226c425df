/** Two owners at once, found in the flight records of both: for how long, who won, and whose clients were cut off. */
import type { FlightEntry } from "../wire/flight/entry.ts";
import { printClock, type StorySource } from "./flight-story.ts";

/** Hand-overs and preemption have two owners for the time that an advert takes; this is more. */
const LEAST_MS = 250;

export interface Incident {
  readonly instance: string;
  /** The time for which more than one node was active, by the clock of the node that reports. */
  readonly fromMs: number;
  readonly untilMs: number;
  /** A node was active already when its record begins: it has been longer. */
  readonly isAtLeast: boolean;
  readonly winner: string;
  readonly losers: readonly string[];
  /** What the losers have said about connections that were open there. */
  readonly clients: readonly string[];
}

interface Span {
  readonly node: string;
  readonly fromMs: number;
  readonly untilMs: number;
  readonly isOlder: boolean;
}

type RoleEntry = Extract<FlightEntry, { kind: "role" }>;

/** The last time that more than one node was active as this instance; undefined: never for longer than a hand-over takes. */
export function findIncident(sources: readonly StorySource[], instance: string): Incident | undefined {
  const own = sources[0]?.record.routers.find(({ name }) => name === instance);
  if (own === undefined) return undefined;
  const spans = sources.flatMap((source) => spansOf(source, own.vrid, own.family));
  let found: { readonly a: Span; readonly b: Span; readonly fromMs: number; readonly untilMs: number } | undefined;
  for (const a of spans)
    for (const b of spans) {
      if (a.node >= b.node) continue;
      const fromMs = Math.max(a.fromMs, b.fromMs);
      const untilMs = Math.min(a.untilMs, b.untilMs);
      if (untilMs - fromMs >= LEAST_MS && untilMs > (found?.untilMs ?? Number.NEGATIVE_INFINITY))
        found = { a, b, fromMs, untilMs };
    }
  if (found === undefined) return undefined;
  const { a, b, fromMs, untilMs } = found;
  const [winner, loser] = a.untilMs > b.untilMs ? [a, b] : [b, a];
  const record = sources.find(({ record: { node } }) => node === loser.node);
  const clients = (record?.record.entries ?? []).flatMap((entry) => {
    const isThen = Math.abs(entry.atMs - (record?.offsetMs ?? 0) - untilMs) < 5000;
    return entry.kind === "network" && isThen && /connections? to .* (is|are) cut off/.test(entry.text)
      ? [entry.text]
      : [];
  });
  const isAtLeast = (a.isOlder && fromMs === a.fromMs) || (b.isOlder && fromMs === b.fromMs);
  return { instance, fromMs, untilMs, isAtLeast, winner: winner.node, losers: [loser.node], clients };
}

/** The times for which a node was active. */
function spansOf({ record, offsetMs }: StorySource, vrid: number, family: 4 | 6): Span[] {
  const names = record.routers
    .filter((router) => router.vrid === vrid && router.family === family)
    .map(({ name }) => name);
  const changes = record.entries.filter(
    (entry): entry is RoleEntry & { readonly atMs: number } => entry.kind === "role" && names.includes(entry.instance),
  );
  const shiftMs = offsetMs ?? 0;
  const spans: Span[] = [];
  let sinceMs: number | undefined;
  let isOlder = false;
  for (const { atMs, from, to } of changes) {
    if (sinceMs === undefined && from === "MASTER") {
      sinceMs = record.entries[0]?.atMs ?? atMs;
      isOlder = true;
    }
    if (sinceMs !== undefined && to !== "MASTER") {
      spans.push({ node: record.node, fromMs: sinceMs - shiftMs, untilMs: atMs - shiftMs, isOlder });
      sinceMs = undefined;
      isOlder = false;
    } else if (to === "MASTER") sinceMs ??= atMs;
  }
  if (sinceMs !== undefined)
    spans.push({
      node: record.node,
      fromMs: sinceMs - shiftMs,
      untilMs: record.savedMs - shiftMs,
      isOlder,
    });
  return spans;
}

/** One paragraph for people. */
export function printIncident({ instance, fromMs, untilMs, isAtLeast, winner, losers, clients }: Incident): string {
  const seconds = ((untilMs - fromMs) / 1000).toFixed(1);
  const nodes = [...losers, winner].join(" and ");
  return [
    `${instance} had two owners for ${isAtLeast ? "at least " : ""}${seconds} s, from ${printClock(fromMs)} to ${printClock(untilMs)}: ${nodes}; ${winner} has it now`,
    ...(clients.length > 0 ? clients : [`no client of ${losers.join(", ")} had an open connection`]),
  ].join("; ");
}
