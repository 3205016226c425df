/** The same conversations through Tandem and through nginx: client and back end must see the same. */
import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { makeCase, type ProxyCase } from "./proxy-cases.ts";
import { reasonFor } from "./proxy-known.ts";
import { LANES, ProxyLanes } from "./proxy-lanes.ts";
import type { View } from "./proxy-views.ts";

/** A conversation that the two have understood differently, as small as it could be made. */
export interface Difference {
  readonly seed: number;
  readonly smallest: ProxyCase;
  readonly theirs: View;
  readonly ours: View;
}

export interface FuzzOutcome {
  readonly cases: number;
  readonly differences: readonly Difference[];
  /** Differences that docs/compatibility.md explains, by reason. */
  readonly known: ReadonlyMap<string, number>;
  /** Differences that did not come again: the machine was slow. */
  readonly unrepeated: readonly Difference[];
  readonly alarms: readonly string[];
}

/** A difference counts when it comes again as often as this. */
const REPEATS = 2;
/** On a busy machine a time-out may come too early. */
const TRIES = 5;
const SHRINK_STEPS = 60;

/** Runs `count` seeds from `first` on. Stops when so many differences were found. */
export async function fuzzProxy(
  nginx: string,
  first: number,
  count: number,
  mostDifferences: number,
): Promise<FuzzOutcome> {
  const differences: Difference[] = [];
  const known = new Map<string, number>();
  const unrepeated: Difference[] = [];
  let cases = 0;
  let alarms: readonly string[] = [];
  await withLanes(nginx, async (theirs, ours) => {
    await eachLane(first, count, async (one) => {
      if (differences.length >= mostDifferences) return;
      cases++;
      const found = await compare(one, theirs, ours);
      if (found === undefined) return;
      const reason = reasonFor(one, found.theirs, found.ours);
      if (reason !== undefined) known.set(reason, (known.get(reason) ?? 0) + 1);
      else if (await repeats(one, theirs, ours)) differences.push(await shrink(one, found, theirs, ours));
      else unrepeated.push({ seed: one.seed, smallest: one, ...found });
    });
    alarms = ours.alarms;
  });
  return { cases, differences, known, unrepeated, alarms };
}

/** Seeds whose conversation client and back end see alike, with a short hash of the view: what a test without nginx compares with. */
export async function agreedViews(nginx: string, first: number, count: number): Promise<ReadonlyMap<number, string>> {
  const agreed = new Map<number, string>();
  await withLanes(nginx, async (theirs, ours) => {
    await eachLane(first, count, async (one) => {
      const [their, our] = await Promise.all([theirs.run(one), ours.run(one)]);
      if (isDeepStrictEqual(their, our)) agreed.set(one.seed, hashOf(our));
    });
  });
  return new Map([...agreed].sort(([a], [b]) => a - b));
}

/** Seeds of these whose conversation through Tandem is another one than was agreed upon, time after time. */
export async function departures(agreed: ReadonlyMap<number, string>): Promise<readonly ProxyCase[]> {
  let departed: ProxyCase[] = [];
  const ours = await ProxyLanes.start();
  try {
    await eachLane(0, 1 + Math.max(...agreed.keys()), async (one) => {
      const hash = agreed.get(one.seed);
      if (hash !== undefined && hashOf(await ours.run(one)) !== hash) departed.push(one);
    });
    for (let tries = 0; tries < TRIES; tries++) {
      const still: ProxyCase[] = [];
      for (const one of departed) if (hashOf(await ours.run(one)) !== agreed.get(one.seed)) still.push(one);
      departed = still;
    }
    return departed;
  } finally {
    await ours.stop();
  }
}

function hashOf(view: View): string {
  return createHash("sha1").update(JSON.stringify(view)).digest("hex").slice(0, 10);
}

async function withLanes(nginx: string, use: (theirs: ProxyLanes, ours: ProxyLanes) => Promise<void>): Promise<void> {
  const [theirs, ours] = await Promise.all([ProxyLanes.start(nginx), ProxyLanes.start()]);
  try {
    await use(theirs, ours);
  } finally {
    await Promise.all([theirs.stop(), ours.stop()]);
  }
}

/** Makes the cases of the seeds and runs them: lanes side by side, the cases of a lane in turn. */
async function eachLane(first: number, count: number, run: (one: ProxyCase) => Promise<void>): Promise<void> {
  const queues = Array.from({ length: LANES }, (): ProxyCase[] => []);
  for (let seed = first; seed < first + count; seed++) {
    const one = makeCase(seed, LANES);
    queues[one.lane]?.push(one);
  }
  await Promise.all(
    queues.map(async (queue) => {
      for (const one of queue) await run(one);
    }),
  );
}

interface Pair {
  readonly theirs: View;
  readonly ours: View;
}

async function compare(one: ProxyCase, theirs: ProxyLanes, ours: ProxyLanes): Promise<Pair | undefined> {
  const [their, our] = await Promise.all([theirs.run(one), ours.run(one)]);
  return isDeepStrictEqual(their, our) ? undefined : { theirs: their, ours: our };
}

/** An unexplained difference, again and again. */
async function repeats(one: ProxyCase, theirs: ProxyLanes, ours: ProxyLanes): Promise<boolean> {
  for (let i = 0; i < REPEATS; i++) {
    const pair = await compare(one, theirs, ours);
    if (pair === undefined || reasonFor(one, pair.theirs, pair.ours) !== undefined) return false;
  }
  return true;
}

/** Leaves out what is not needed for the difference. */
async function shrink(one: ProxyCase, found: Pair, theirs: ProxyLanes, ours: ProxyLanes): Promise<Difference> {
  let smallest = one;
  let views = found;
  let steps = 0;
  const tryThis = async (smaller: ProxyCase): Promise<void> => {
    if (++steps > SHRINK_STEPS) return;
    const pair = await compare(smaller, theirs, ours);
    if (pair === undefined || reasonFor(smaller, pair.theirs, pair.ours) !== undefined) return;
    smallest = smaller;
    views = pair;
  };
  if (one.pauses.length > 0) await tryThis({ ...smallest, pauses: [] });
  if (one.answers.length > 0) await tryThis({ ...smallest, answers: [] });
  if (smallest.answers.length > 1) await tryThis({ ...smallest, answers: smallest.answers.slice(0, 1) });
  for (let i = smallest.client.length - 1; i >= 0; i--)
    await tryThis({ ...smallest, client: smallest.client.filter((_, at) => at !== i) });
  return { seed: one.seed, smallest, ...views };
}

/** A difference as text. */
export function printDifference({ seed, smallest, theirs, ours }: Difference): string {
  const quote = (text: string): string => JSON.stringify(text.replace(/y{20,}/g, (run) => `(${run.length} y)`));
  const show = (view: View): string =>
    [
      `  client got ${quote(view.client)}${view.closed ? "" : " and no end"}`,
      ...view.backEnd.map((request) => `  back end got ${quote(request)}`),
    ].join("\n");
  return [
    `seed ${seed}, lane ${smallest.lane}`,
    `client sends ${quote(smallest.client.join(""))}${smallest.pauses.length > 0 ? ` in ${smallest.pauses.length + 1} pieces` : ""}`,
    ...smallest.answers.map(({ bytes, isLast }) => `back end says ${quote(bytes)}${isLast ? " and closes" : ""}`),
    `nginx:\n${show(theirs)}`,
    `Tandem:\n${show(ours)}`,
  ].join("\n");
}
