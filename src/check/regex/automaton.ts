/**
 * An expression as an automaton without empty steps (Glushkov's): a state for each set of bytes in it. The beginning and the end of a
 * text are symbols of their own, which `^` and `$` read. Steps that two ways lead over are there twice: that is what backtracks.
 */
import { ANY_BYTE, type ByteSet, type Node } from "./syntax.ts";

const BYTES = 256;
/** The symbols around a text; sets of symbols have their bits above those of the bytes. */
export const BEGIN = BYTES;
export const END = BYTES + 1;
export const BEGIN_SET: ByteSet = 1n << BigInt(BEGIN);
export const END_SET: ByteSet = 1n << BigInt(END);
export const ANY_SYMBOL: ByteSet = ANY_BYTE | BEGIN_SET | END_SET;

/** More states than this are not looked into. */
export const MAX_STATES = 400;

/** State 0 reads nothing: it is where all begin. */
export interface Automaton {
  /** What a state reads when it is entered. */
  readonly sets: readonly ByteSet[];
  readonly steps: readonly (readonly number[])[];
  readonly isFinal: readonly boolean[];
  /** False: it also accepts what the expression does not, because of a look-around or the like. */
  readonly isExact: boolean;
}

interface Fragment {
  readonly isNullable: boolean;
  readonly first: readonly number[];
  readonly last: readonly number[];
}

const NOTHING: Fragment = { isNullable: true, first: [], last: [] };

class Builder {
  readonly sets: ByteSet[] = [0n];
  readonly steps: number[][] = [[]];
  isExact = true;
  isTooLarge = false;

  build(node: Node): Fragment {
    switch (node.kind) {
      case "set":
        return this.#state(node.set);
      case "start":
        return this.#state(BEGIN_SET);
      case "end":
        return this.#state(END_SET);
      case "group":
        return this.build(node.node);
      case "sequence":
        return node.parts.reduce<Fragment>((before, part) => this.#join(before, this.build(part)), NOTHING);
      case "choice":
        return node.options.map((option) => this.build(option)).reduce(either);
      case "repeat":
        return this.#repeat(node.node, node.min, node.max);
      case "opaque":
        this.isExact = false;
        return node.consumes ? this.#loop(this.#state(ANY_BYTE)) : NOTHING;
    }
  }

  #state(set: ByteSet): Fragment {
    const state = this.sets.length;
    if (state > MAX_STATES) {
      this.isTooLarge = true;
      return NOTHING;
    }
    this.sets.push(set);
    this.steps.push([]);
    return { isNullable: false, first: [state], last: [state] };
  }

  #link(from: readonly number[], to: readonly number[]): void {
    for (const state of from) (this.steps[state] as number[]).push(...to);
  }

  #join(a: Fragment, b: Fragment): Fragment {
    this.#link(a.last, b.first);
    return {
      isNullable: a.isNullable && b.isNullable,
      first: a.isNullable ? [...a.first, ...b.first] : a.first,
      last: b.isNullable ? [...a.last, ...b.last] : b.last,
    };
  }

  #loop(fragment: Fragment): Fragment {
    this.#link(fragment.last, fragment.first);
    return { ...fragment, isNullable: true };
  }

  #repeat(node: Node, min: number, max: number): Fragment {
    let all = NOTHING;
    const isEndless = max === Number.POSITIVE_INFINITY;
    for (let i = 0; i < (isEndless ? Math.max(0, min - 1) : min) && !this.isTooLarge; i++)
      all = this.#join(all, this.build(node));
    if (isEndless) {
      const loop = this.#loop(this.build(node));
      return this.#join(all, min > 0 ? { ...loop, isNullable: loop.isNullable && this.#isNullable(node) } : loop);
    }
    // x{2,4} is xx(x(x)?)?: without the nesting there would be several ways to the same.
    let rest = NOTHING;
    for (let i = min; i < max && !this.isTooLarge; i++) {
      const one = this.build(node);
      rest = { ...this.#join(one, rest), isNullable: true };
    }
    return this.#join(all, rest);
  }

  #isNullable(node: Node): boolean {
    switch (node.kind) {
      case "set":
      case "start":
      case "end":
        return false;
      case "group":
        return this.#isNullable(node.node);
      case "sequence":
        return node.parts.every((part) => this.#isNullable(part));
      case "choice":
        return node.options.some((option) => this.#isNullable(option));
      case "repeat":
        return node.min === 0 || this.#isNullable(node.node);
      case "opaque":
        return true;
    }
  }
}

function either(a: Fragment, b: Fragment): Fragment {
  return {
    isNullable: a.isNullable || b.isNullable,
    first: [...a.first, ...b.first],
    last: [...a.last, ...b.last],
  };
}

/** The automaton of an expression; undefined when it is too large. */
export function automatonOf(root: Node): Automaton | undefined {
  const builder = new Builder();
  const all = builder.build(root);
  if (builder.isTooLarge) return undefined;
  builder.steps[0] = [...all.first];
  const finals = new Set(all.last);
  if (all.isNullable) finals.add(0);
  return {
    sets: builder.sets,
    steps: builder.steps,
    isFinal: builder.sets.map((_, state) => finals.has(state)),
    isExact: builder.isExact,
  };
}
