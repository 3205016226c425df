/** Questions about all texts that an expression finds a match in: is there any, and does another expression match them all? */

import { ANY_SYMBOL, type Automaton, BEGIN, BEGIN_SET, END, END_SET } from "./automaton.ts";
import type { ByteSet } from "./syntax.ts";

/** Texts of one kind, as an automaton whose states are numbers. */
export interface Domain {
  /** Sets that `next` tells apart. */
  readonly sets: readonly ByteSet[];
  /** The state behind a byte; -1 when no text of the kind goes on like that. State 0 is the beginning. */
  next(state: number, byte: number): number;
  /** A text may end here. */
  mayEnd(state: number): boolean;
}

/** More pairs of states than this, and the answer is that it is not known. */
const MAX_PAIRS = 4000;
/** The one state that matching leads to. */
const MATCHED = -1;

/** States that a search can be in, each once, in order. */
type States = readonly number[];

/** Symbols that all sets treat alike, one of each kind. */
function representatives(sets: readonly ByteSet[]): readonly number[] {
  const kinds = new Map<string, number>();
  for (let symbol = 0; symbol < BEGIN; symbol++) {
    const kind = sets.map((set) => ((set >> BigInt(symbol)) & 1n ? "1" : "0")).join("");
    if (!kinds.has(kind)) kinds.set(kind, symbol);
  }
  return [...kinds.values()];
}

/** A search: the match may begin anywhere, and what follows it does not matter. */
function step({ sets, steps, isFinal }: Automaton, states: States, symbol: number): States {
  if (states[0] === MATCHED) return states;
  const next = new Set<number>([0]);
  const bit = 1n << BigInt(symbol);
  for (const state of states)
    for (const target of steps[state] as readonly number[])
      if (((sets[target] as ByteSet) & bit) !== 0n) {
        if (isFinal[target] === true) return [MATCHED];
        next.add(target);
      }
  return [...next].sort((a, b) => a - b);
}

function begin(automaton: Automaton): States {
  return automaton.isFinal[0] === true ? [MATCHED] : [0];
}

/** `^` and `$` may stand several times at one place, so the symbols around a text are read until nothing comes of it. */
function stepAround(automaton: Automaton, states: States, ...symbols: readonly number[]): States {
  let current = states;
  for (;;) {
    const all = new Set(current);
    for (const symbol of symbols)
      for (const state of step(automaton, current, symbol)) {
        if (state === MATCHED) return [MATCHED];
        all.add(state);
      }
    if (all.size === current.length) return current;
    current = [...all].sort((a, b) => a - b);
  }
}

/** True when a search that has come to these states has found a match at the end of the text. */
function isMatchedAtEnd(automaton: Automaton, states: States, isEmptyText: boolean): boolean {
  // Both symbols stand at the same place around nothing.
  const symbols = isEmptyText ? [BEGIN, END] : [END];
  return stepAround(automaton, states, ...symbols)[0] === MATCHED;
}

interface Pair {
  readonly inner: States;
  readonly outer: States;
  readonly domain: number;
}

/**
 * Walks all texts of the domain in which `inner` finds a match. The first of them in which `outer` finds none ends the walk: false. True:
 * there is none. Undefined: it took too long.
 */
function isCovered(inner: Automaton, outer: Automaton | undefined, domain: Domain): boolean | undefined {
  const symbols = representatives([...inner.sets, ...(outer?.sets ?? []), ...domain.sets]);
  const none: States = [];
  const first: Pair = {
    inner: stepAround(inner, begin(inner), BEGIN),
    outer: outer === undefined ? none : stepAround(outer, begin(outer), BEGIN),
    domain: 0,
  };
  const key = ({ inner: a, outer: b, domain: d }: Pair): string => `${a}|${b}|${d}`;
  const seen = new Set([key(first)]);
  const queue = [first];
  for (const pair of queue) {
    if (domain.mayEnd(pair.domain)) {
      const isEmpty = pair === first;
      const isMatched = isMatchedAtEnd(inner, pair.inner, isEmpty);
      const isAlso = outer !== undefined && isMatchedAtEnd(outer, pair.outer, isEmpty);
      if (isMatched && !isAlso) return false;
    }
    if (pair.outer[0] === MATCHED) continue;
    for (const symbol of symbols) {
      const next: Pair = {
        inner: step(inner, pair.inner, symbol),
        outer: outer === undefined ? none : step(outer, pair.outer, symbol),
        domain: domain.next(pair.domain, symbol),
      };
      if (next.domain < 0 || seen.has(key(next))) continue;
      if (seen.size >= MAX_PAIRS) return undefined;
      seen.add(key(next));
      queue.push(next);
    }
  }
  return true;
}

/** True when the expression finds a match in no text of the domain; undefined when that is not known. */
export function matchesNothing(automaton: Automaton, domain: Domain): boolean | undefined {
  return isCovered(automaton, undefined, domain);
}

/** True when `outer` finds a match in every text of the domain in which `inner` does; undefined when that is not known. */
export function isWithin(inner: Automaton, outer: Automaton, domain: Domain): boolean | undefined {
  return outer.isExact ? isCovered(inner, outer, domain) : undefined;
}

/** True when there is a text of the domain in which both find a match. */
export function overlap(a: Automaton, b: Automaton, domain: Domain): boolean | undefined {
  if (!a.isExact || !b.isExact) return undefined;
  const symbols = representatives([...a.sets, ...b.sets, ...domain.sets]);
  const first: Pair = {
    inner: stepAround(a, begin(a), BEGIN),
    outer: stepAround(b, begin(b), BEGIN),
    domain: 0,
  };
  const seen = new Set<string>();
  const queue = [first];
  for (const pair of queue) {
    if (domain.mayEnd(pair.domain)) {
      const isEmpty = pair === first;
      if (isMatchedAtEnd(a, pair.inner, isEmpty) && isMatchedAtEnd(b, pair.outer, isEmpty)) return true;
    }
    for (const symbol of symbols) {
      const next: Pair = {
        inner: step(a, pair.inner, symbol),
        outer: step(b, pair.outer, symbol),
        domain: domain.next(pair.domain, symbol),
      };
      const key = `${next.inner}|${next.outer}|${next.domain}`;
      if (next.domain < 0 || seen.has(key)) continue;
      if (seen.size >= MAX_PAIRS) return undefined;
      seen.add(key);
      queue.push(next);
    }
  }
  return false;
}

/** The automaton that finds exactly the texts that begin with this one (or are this one). */
export function prefixAutomaton(text: string, isWhole: boolean): Automaton {
  const sets: ByteSet[] = [0n, BEGIN_SET];
  for (const character of text) sets.push(1n << BigInt(character.charCodeAt(0) & 0xff));
  if (isWhole) sets.push(END_SET);
  return {
    sets,
    steps: sets.map((_, state) => (state + 1 < sets.length ? [state + 1] : [])),
    isFinal: sets.map((_, state) => state === sets.length - 1),
    isExact: true,
  };
}

const SLASH = 0x2f;
const SLASH_SET: ByteSet = 1n << BigInt(SLASH);
const NUL_SET: ByteSet = 1n;

/** Paths of requests, decoded and normalised: they begin with a slash and, where `merge_slashes` is on, have no two in a row. */
export function pathDomain(mergesSlashes: boolean): Domain {
  return {
    sets: [SLASH_SET, NUL_SET],
    next: (state, byte) => {
      if (byte === 0) return -1;
      if (state === 0) return byte === SLASH ? 1 : -1;
      if (byte !== SLASH) return 2;
      return state === 1 && mergesSlashes ? -1 : 1;
    },
    mayEnd: (state) => state > 0,
  };
}

const HOST_SET: ByteSet = (() => {
  let set = 0n;
  for (const character of "abcdefghijklmnopqrstuvwxyz0123456789-._~!&'()*+,;=%[]:$")
    set |= 1n << BigInt(character.charCodeAt(0));
  return set;
})();

/** Names of hosts as nginx hands them on: in lower case. */
export const hostDomain: Domain = {
  sets: [HOST_SET],
  next: (_, byte) => ((HOST_SET >> BigInt(byte)) & 1n ? 1 : -1),
  mayEnd: (state) => state > 0,
};

/** Any text. */
export const anyDomain: Domain = { sets: [ANY_SYMBOL], next: () => 1, mayEnd: () => true };
