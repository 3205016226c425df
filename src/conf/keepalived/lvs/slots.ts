/** Declarations that keywords of virtual servers, real servers and checkers share. */
import type { Draft, Interpreter, Keyword, Line } from "../interpreter.ts";
import { readBoolean, readDecimal } from "../numbers.ts";
import { type About, keyword } from "../slots.ts";

/** Keys of `D` that can hold a `V`. */
type KeyFor<D, V> = { [K in keyof D]-?: V extends D[K] ? K : never }[keyof D];

/** Seconds that fit keepalived's microseconds in 32 bits. */
export const MAX_TIMEOUT_S = 4294.967295;
/** Seconds that fit keepalived's microseconds in 64 bits, as it prints them. */
const MAX_DELAY = "18446744073709.551614";
export const MAX_U32 = 0xffff_ffff;
/** Weights are 31 bits. */
export const MAX_WEIGHT = 0x7fff_ffff;

/** What is behind a keyword with a time: `ms` undefined when keepalived would not take it, or when it is no number. */
interface TimerRead {
  readonly text: string;
  readonly ms: number | undefined;
  /** keepalived says that it ignores it. */
  readonly isIgnored: boolean;
}

/**
 * Seconds as keepalived's `read_timer` takes them. What is more precise than it is complained about, and rounded. Of what is no
 * number keepalived takes the digits in front, as microseconds (`5s` is a fifth of a hundred-thousandth): that is left out here.
 */
export function readTimer(
  line: Line,
  scope: Interpreter,
  minUs: 0 | 1,
  maxS: number | undefined,
): TimerRead | undefined {
  const text = scope.word(line, 1);
  if (text === undefined) return undefined;
  const max = maxS ?? Number.MAX_SAFE_INTEGER;
  const read = readDecimal(text, minUs / 1e6, max);
  if (read.ok) return { text, ms: read.value * 1000, isIgnored: false };
  const reason = maxS === undefined ? read.reason.replace(/, [\d.]+\]$/, `, ${MAX_DELAY}]`) : read.reason;
  scope.report("warn", reason, line.position);
  if (read.reason.startsWith("invalid")) {
    const us = Number(/^[0-9]*/.exec(text.replace(".", ""))?.[0] ?? 0);
    return { text, ms: undefined, isIgnored: us < minUs || us > max * 1e6 };
  }
  const seconds = Number(text);
  const isRounded = read.reason.endsWith("too many decimal places") && seconds >= minUs / 1e6 && seconds <= max;
  return { text, ms: isRounded ? Math.round(seconds * 1e6) / 1000 : undefined, isIgnored: !isRounded };
}

/** A keyword with a time. */
export function timer<D extends Draft>(
  key: KeyFor<D, number>,
  about: About & { readonly minUs: 0 | 1; readonly maxS?: number; readonly invalid: (text: string) => string },
): Keyword<D> {
  return keyword({ syntax: "SECONDS", ...about }, (draft, line, scope) => {
    const read = readTimer(line, scope, about.minUs, about.maxS);
    if (read === undefined) return;
    if (read.isIgnored) scope.report("warn", about.invalid(read.text), line.position);
    if (read.ms !== undefined) (draft as Record<PropertyKey, unknown>)[key as PropertyKey] = read.ms;
  });
}

/** A switch, on when bare; other words than keepalived's (lower case alone) are complained about. */
export function toggle<D extends Draft>(
  key: KeyFor<D, boolean>,
  about: About & { readonly invalid: (text: string) => string },
): Keyword<D> {
  return keyword({ syntax: "[on|off]", ...about }, (draft, line, scope) => {
    const value = readSwitch(line);
    if (value === undefined) scope.report("warn", about.invalid(line.words[1] as string), line.position);
    else (draft as Record<PropertyKey, unknown>)[key as PropertyKey] = value;
  });
}

/** The switch behind a keyword; undefined when it is none. */
export function readSwitch(line: Line): boolean | undefined {
  const [, word] = line.words;
  if (word === undefined) return true;
  return word === word.toLowerCase() ? readBoolean(word) : undefined;
}

/** A word that must be there; without it a complaint, instead of the end that `word` is. */
export function text<D extends Draft>(key: KeyFor<D, string>, about: About & { readonly missing: string }): Keyword<D> {
  return keyword({ syntax: "NAME", ...about }, (draft, line, scope) => {
    const [, word] = line.words;
    if (word === undefined) scope.report("warn", about.missing, line.position);
    else (draft as Record<PropertyKey, unknown>)[key as PropertyKey] = word;
  });
}
