/** The same conversations through Tandem and through nginx: what they look like from outside must be the same. What is said, and who looks, is a subject's. */
import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";

/** One conversation. */
export interface FuzzCase {
  readonly seed: number;
  /** Which of the configurations. Conversations of different lanes run at the same time, those of one lane one after another. */
  readonly lane: number;
}

/** One program under test. */
export interface Lanes<Case, View> {
  run(one: Case): Promise<View>;
  stop(): Promise<void>;
  /** Notices of broken assertions and worse: there must be none. */
  readonly alarms: readonly string[];
}

/** What is fuzzed. */
export interface Subject<Case extends FuzzCase, View> {
  /** Its word on the command line, and the beginning of its files' names. */
  readonly name: string;
  readonly lanes: number;
  /** A conversation from a seed. */
  make(seed: number): Case;
  /** Our own program without `binary`. */
  start(binary?: string): Promise<Lanes<Case, View>>;
  /** Which of the differences that docs/compatibility.md lists explains this one; undefined when none does. */
  reasonFor(one: Case, theirs: View, ours: View): string | undefined;
  /** What of a view is the same each time, on a busy machine too: that is recorded. Undefined when chance has its part in all of it. */
  lasting(one: Case, view: View): unknown;
  /** The conversation with something left out, in the order in which it should be tried. */
  smaller(one: Case): readonly Case[];
  print(difference: Difference<Case, View>): string;
}

/** A conversation that the two have understood differently, as small as it could be made. */
export interface Difference<Case, View> {
  readonly seed: number;
  readonly smallest: Case;
  readonly theirs: View;
  readonly ours: View;
}

export interface FuzzOutcome<Case, View> {
  readonly cases: number;
  readonly differences: readonly Difference<Case, View>[];
  /** Differences that docs/compatibility.md explains, by reason. */
  readonly known: ReadonlyMap<string, number>;
  /** Differences that did not come again: the machine was slow. */
  readonly unrepeated: readonly Difference<Case, View>[];
  readonly alarms: readonly string[];
}

interface Pair<View> {
  readonly theirs: View;
  readonly ours: View;
}

/** A difference counts when it comes again as often as this. */
const REPEATS = 2;
/** On a busy machine a time-out may come too early. */
const TRIES = 5;
const SHRINK_STEPS = 60;

/** Both programs, side by side. */
class Comparison<Case extends FuzzCase, View> {
  readonly #subject: Subject<Case, View>;
  readonly theirs: Lanes<Case, View>;
  readonly ours: Lanes<Case, View>;

  private constructor(subject: Subject<Case, View>, theirs: Lanes<Case, View>, ours: Lanes<Case, View>) {
    this.#subject = subject;
    this.theirs = theirs;
    this.ours = ours;
  }

  static async use<Case extends FuzzCase, View>(
    subject: Subject<Case, View>,
    nginx: string,
    work: (comparison: Comparison<Case, View>) => Promise<void>,
  ): Promise<void> {
    const [theirs, ours] = await Promise.all([subject.start(nginx), subject.start()]);
    try {
      await work(new Comparison(subject, theirs, ours));
    } finally {
      await Promise.all([theirs.stop(), ours.stop()]);
    }
  }

  async both(one: Case): Promise<Pair<View>> {
    const [theirs, ours] = await Promise.all([this.theirs.run(one), this.ours.run(one)]);
    return { theirs, ours };
  }

  /** Undefined when they agree, or differ for a known reason. */
  async unexplained(one: Case): Promise<Pair<View> | undefined> {
    const pair = await this.both(one);
    if (isDeepStrictEqual(pair.theirs, pair.ours)) return undefined;
    return this.#subject.reasonFor(one, pair.theirs, pair.ours) === undefined ? pair : undefined;
  }

  async repeats(one: Case): Promise<boolean> {
    for (let i = 0; i < REPEATS; i++) if ((await this.unexplained(one)) === undefined) return false;
    return true;
  }

  /** Leaves out what is not needed for the difference. */
  async shrink(one: Case, found: Pair<View>): Promise<Difference<Case, View>> {
    let smallest = one;
    let views = found;
    let steps = 0;
    for (let candidates = this.#subject.smaller(one); candidates.length > 0 && steps < SHRINK_STEPS; ) {
      const [candidate, ...others] = candidates;
      steps++;
      const pair = await this.unexplained(candidate as Case);
      if (pair === undefined) {
        candidates = others;
        continue;
      }
      smallest = candidate as Case;
      views = pair;
      candidates = this.#subject.smaller(smallest);
    }
    return { seed: one.seed, smallest, ...views };
  }
}

/** Runs `count` seeds from `first` on. Stops when so many differences were found. */
export async function fuzz<Case extends FuzzCase, View>(
  subject: Subject<Case, View>,
  nginx: string,
  first: number,
  count: number,
  mostDifferences: number,
): Promise<FuzzOutcome<Case, View>> {
  const differences: Difference<Case, View>[] = [];
  const known = new Map<string, number>();
  const unrepeated: Difference<Case, View>[] = [];
  let cases = 0;
  let alarms: readonly string[] = [];
  await Comparison.use(subject, nginx, async (comparison) => {
    await eachLane(subject, first, count, async (one) => {
      if (differences.length >= mostDifferences) return;
      cases++;
      const found = await comparison.both(one);
      if (isDeepStrictEqual(found.theirs, found.ours)) return;
      const reason = subject.reasonFor(one, found.theirs, found.ours);
      if (reason !== undefined) known.set(reason, (known.get(reason) ?? 0) + 1);
      else if (await comparison.repeats(one)) differences.push(await comparison.shrink(one, found));
      else unrepeated.push({ seed: one.seed, smallest: one, ...found });
    });
    ({ alarms } = comparison.ours);
  });
  return { cases, differences, known, unrepeated, alarms };
}

/** Seeds whose conversation looks alike, with a short hash of the view: what a test without nginx compares with. */
export async function agreedViews<Case extends FuzzCase, View>(
  subject: Subject<Case, View>,
  nginx: string,
  first: number,
  count: number,
): Promise<ReadonlyMap<number, string>> {
  const agreed = new Map<number, string>();
  await Comparison.use(subject, nginx, async (comparison) => {
    await eachLane(subject, first, count, async (one) => {
      const hashes = new Set<string>();
      for (let i = 0; i < REPEATS; i++) {
        const { theirs, ours } = await comparison.both(one);
        const lasting = subject.lasting(one, ours);
        if (!isDeepStrictEqual(theirs, ours) || lasting === undefined) return;
        hashes.add(hashOf(lasting));
      }
      // What is another thing each time can't be compared with.
      if (hashes.size === 1) agreed.set(one.seed, [...hashes][0] as string);
    });
  });
  return new Map([...agreed].sort(([a], [b]) => a - b));
}

/** Seeds of these whose conversation with Tandem is another one than was agreed upon, time after time. */
export async function departures<Case extends FuzzCase, View>(
  subject: Subject<Case, View>,
  agreed: ReadonlyMap<number, string>,
): Promise<readonly Case[]> {
  let departed: Case[] = [];
  const ours = await subject.start();
  const hashNow = async (one: Case): Promise<string> => hashOf(subject.lasting(one, await ours.run(one)));
  try {
    await eachLane(subject, 0, 1 + Math.max(...agreed.keys()), async (one) => {
      const hash = agreed.get(one.seed);
      if (hash !== undefined && (await hashNow(one)) !== hash) departed.push(one);
    });
    for (let tries = 0; tries < TRIES; tries++) {
      const still: Case[] = [];
      for (const one of departed) if ((await hashNow(one)) !== agreed.get(one.seed)) still.push(one);
      departed = still;
    }
    return departed;
  } finally {
    await ours.stop();
  }
}

function hashOf(view: unknown): string {
  return createHash("sha1")
    .update(JSON.stringify(view) ?? "")
    .digest("hex")
    .slice(0, 10);
}

/** Makes the cases of the seeds and runs them: lanes side by side, the cases of a lane in turn. */
async function eachLane<Case extends FuzzCase, View>(
  subject: Subject<Case, View>,
  first: number,
  count: number,
  run: (one: Case) => Promise<void>,
): Promise<void> {
  const queues = Array.from({ length: subject.lanes }, (): Case[] => []);
  for (let seed = first; seed < first + count; seed++) {
    const one = subject.make(seed);
    queues[one.lane]?.push(one);
  }
  await Promise.all(
    queues.map(async (queue) => {
      for (const one of queue) await run(one);
    }),
  );
}
