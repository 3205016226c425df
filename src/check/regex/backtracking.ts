/**
 * How long a backtracking search may take: the ways in which one text can be read. Two ways around the same loop double them with
 * each round; loops behind each other that read the same text multiply them.
 */
import { type Automaton, BEGIN_SET, END_SET } from "./automaton.ts";
import { type ByteSet, DOT } from "./syntax.ts";

/** Steps of the whole examination; beyond, nothing is said. */
const MAX_WORK = 400_000;

/** `exponential`, or the power of the length that the time grows with; 1 for no danger. */
export type Cost = "exponential" | number;

class Search {
  readonly #automaton: Automaton;
  readonly #reach: readonly ReadonlySet<number>[];
  #work = 0;

  constructor(automaton: Automaton) {
    this.#automaton = automaton;
    this.#reach = automaton.steps.map((_, state) => this.#reachable(state));
  }

  get isExhausted(): boolean {
    return this.#work > MAX_WORK;
  }

  #reachable(from: number): ReadonlySet<number> {
    const seen = new Set<number>();
    const queue = [...(this.#automaton.steps[from] as readonly number[])];
    for (const state of queue) {
      if (seen.has(state)) continue;
      seen.add(state);
      queue.push(...(this.#automaton.steps[state] as readonly number[]));
    }
    return seen;
  }

  isLoop(state: number): boolean {
    return (this.#reach[state] as ReadonlySet<number>).has(state);
  }

  areTogether(a: number, b: number): boolean {
    return (
      a === b || ((this.#reach[a] as ReadonlySet<number>).has(b) && (this.#reach[b] as ReadonlySet<number>).has(a))
    );
  }

  leadsTo(a: number, b: number): boolean {
    return (this.#reach[a] as ReadonlySet<number>).has(b);
  }

  /** A match is certain from here, whatever follows: there is nothing to go back for. */
  isSafe(state: number): boolean {
    const { isFinal, steps, sets } = this.#automaton;
    if (isFinal[state] === true) return true;
    return (steps[state] as readonly number[]).some(
      (next) =>
        ((sets[next] as ByteSet) & DOT) === DOT &&
        (steps[next] as readonly number[]).includes(next) &&
        (isFinal[next] === true || this.#endsAfter(next)),
    );
  }

  #endsAfter(state: number): boolean {
    const { isFinal, steps, sets } = this.#automaton;
    return (steps[state] as readonly number[]).some((next) => sets[next] === END_SET && isFinal[next] === true);
  }

  /** Finds a common text that leads these states to those, staying in their loops where `stays` says so. */
  *#next(states: readonly number[], within: readonly ((state: number) => boolean)[]): Generator<number[]> {
    const { sets, steps } = this.#automaton;
    const extend = function* (index: number, set: ByteSet, chosen: number[]): Generator<number[]> {
      if (index === states.length) {
        yield chosen;
        return;
      }
      for (const target of new Set(steps[states[index] as number])) {
        if (within[index]?.(target) === false) continue;
        const common = index === 0 ? (sets[target] as ByteSet) : set & (sets[target] as ByteSet);
        if (common !== 0n) yield* extend(index + 1, common, [...chosen, target]);
      }
    };
    yield* extend(0, 0n, []);
  }

  #finds(
    from: readonly number[],
    isGoal: (states: readonly number[]) => boolean,
    within: readonly ((state: number) => boolean)[],
  ): boolean {
    const seen = new Set<string>();
    const queue: (readonly number[])[] = [from];
    for (const states of queue)
      for (const next of this.#next(states, within)) {
        if (++this.#work > MAX_WORK) return false;
        if (isGoal(next)) return true;
        const key = next.join();
        if (seen.has(key)) continue;
        seen.add(key);
        queue.push(next);
      }
    return false;
  }

  /** Two different ways from the state back to itself that read the same text. */
  isAmbiguous(state: number): boolean {
    const { steps } = this.#automaton;
    const inLoop = (other: number): boolean => this.areTogether(state, other);
    // A step that is there twice.
    for (let from = 0; from < steps.length; from++) {
      if (!inLoop(from) || !this.isLoop(from)) continue;
      const targets = (steps[from] as readonly number[]).filter(inLoop);
      if (new Set(targets).size < targets.length) return true;
    }
    // Pairs are walked with a mark of whether the two have been apart.
    const seen = new Set<string>();
    const queue: { readonly pair: readonly number[]; readonly apart: boolean }[] = [
      { pair: [state, state], apart: false },
    ];
    for (const { pair, apart } of queue)
      for (const next of this.#next(pair, [inLoop, inLoop])) {
        if (++this.#work > MAX_WORK) return false;
        const isApart = apart || next[0] !== next[1];
        if (isApart && next[0] === state && next[1] === state) return true;
        const key = `${next.join()} ${isApart}`;
        if (seen.has(key)) continue;
        seen.add(key);
        queue.push({ pair: next, apart: isApart });
      }
    return false;
  }

  /** A text that keeps both loops going and also leads from the first to the second. */
  isShared(first: number, second: number): boolean {
    const inFirst = (state: number): boolean => this.areTogether(first, state);
    const inSecond = (state: number): boolean => this.areTogether(second, state);
    const between = (state: number): boolean =>
      state === second || this.leadsTo(state, second) || this.areTogether(second, state);
    return this.#finds([first, first, second], ([a, b, c]) => a === first && b === second && c === second, [
      inFirst,
      between,
      inSecond,
    ]);
  }
}

/** The automaton with the loop in front that a search is: the match may begin anywhere. */
function searching(automaton: Automaton): Automaton {
  const { sets, steps, isFinal, isExact } = automaton;
  const starts = steps[0] as readonly number[];
  if (starts.every((state) => sets[state] === BEGIN_SET)) return automaton;
  const skip = sets.length;
  return {
    sets: [...sets, DOT],
    steps: [[...starts, skip], ...steps.slice(1), [...starts, skip]],
    isFinal: [...isFinal, false],
    isExact,
  };
}

/** What the worst text can cost; undefined when it took too long to find out. */
export function costOf(automaton: Automaton): Cost | undefined {
  const whole = searching(automaton);
  const search = new Search(whole);
  const loops: number[] = [];
  for (let state = 0; state < whole.sets.length; state++) {
    if (!search.isLoop(state)) continue;
    // One state of each loop is enough; one that may fail behind it is the one to ask.
    const known = loops.findIndex((other) => search.areTogether(other, state));
    if (known < 0) loops.push(state);
    else if (search.isSafe(loops[known] as number)) loops[known] = state;
  }
  const dangerous = loops.filter((state) => !search.isSafe(state));
  if (dangerous.some((state) => search.isAmbiguous(state))) return "exponential";
  const power = longestChain(loops, dangerous, search);
  return search.isExhausted ? undefined : power;
}

/** So many loops in a row read the same text, the last of them with a chance to fail. */
function longestChain(loops: readonly number[], dangerous: readonly number[], search: Search): number {
  const memo = new Map<number, number>();
  const chainTo = (state: number): number => {
    const known = memo.get(state);
    if (known !== undefined) return known;
    memo.set(state, 1);
    let longest = 1;
    for (const before of loops) {
      if (before === state || !search.leadsTo(before, state) || search.areTogether(before, state)) continue;
      if (search.isShared(before, state)) longest = Math.max(longest, chainTo(before) + 1);
    }
    memo.set(state, longest);
    return longest;
  };
  return Math.max(1, ...dangerous.map(chainTo));
}
