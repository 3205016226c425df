/**
 * Declarations of keywords: one line says parameters, bounds, default, what it is for, and keepalived's words when it is
 * wrong. Parsing, error messages and the reference pages come from it.
 */
import { type IpAddress, parseIp } from "../../base/ip.ts";
import type { Documented, Draft, Interpreter, Keyword, Keywords, Line } from "./interpreter.ts";
import { type NumberRead, readBoolean, readDecimal, readInteger } from "./numbers.ts";

/** Keys of `D` that can hold a `V`. */
type KeyFor<D, V> = { [K in keyof D]-?: V extends D[K] ? K : never }[keyof D];

/** What every declaration says. */
export interface About {
  readonly doc: string;
  readonly syntax?: string;
  readonly default?: string;
}

/** A number's bounds, what to say when it is outside, and how to store it. */
export interface NumberAbout<D> extends About {
  readonly min: number;
  readonly max: number;
  /** keepalived's message about the bad text; the message about the number itself comes before it. */
  readonly invalid?: (text: string, draft: D) => string;
  /** For numbers that keepalived mends: a message and a better value, or undefined when it is good. */
  readonly mend?: (value: number, draft: D) => { readonly message: string; readonly value: number } | undefined;
}

/** Makes a documented keyword of any code. */
export function keyword<D>(about: About, read: Keyword<D>["read"], keywords?: Keywords<never>): Keyword<D> {
  const { doc, syntax = "", default: fallback } = about;
  const documented: Documented = { syntax, doc, isImplemented: true };
  return {
    ...documented,
    read,
    ...(fallback === undefined ? {} : { default: fallback }),
    ...(keywords === undefined ? {} : { keywords }),
  };
}

/** A keyword of keepalived's that Tandem refuses, with its block if it has one; what it settles can't be left out silently. */
export function refused<D>(why: string): Keyword<D> {
  return {
    syntax: "…",
    doc: `Refused: ${why}.`,
    isImplemented: false,
    read: (_draft, line, scope) => {
      scope.report("error", `'${line.words[0]}' is refused: ${why}`, line.position);
      scope.skipBlock();
    },
  };
}

/** A keyword that settles something which Tandem has not (another process, a kernel feature): accepted, and said. */
export function withoutEffect<D>(why: string): Keyword<D> {
  return {
    syntax: "…",
    doc: `No effect: ${why}.`,
    isImplemented: true,
    read: (_draft, line, scope) => {
      scope.report("info", `'${line.words[0]}' has no effect: ${why}`, line.position);
      scope.skipBlock();
    },
  };
}

export const NO_SYNC_DAEMON =
  "the connections that IPVS sends to a partner mean nothing to nf_tables, and it has never met a kernel with IPVS";

/** Several refused keywords with the same reason. */
export function allRefused<D>(why: string, names: readonly string[]): Keywords<D> {
  return Object.fromEntries(names.map((name) => [name, refused<D>(why)]));
}

/** Several keywords without effect, with the same reason. */
export function allWithoutEffect<D>(doc: string, names: readonly string[]): Keywords<D> {
  return Object.fromEntries(names.map((name) => [name, withoutEffect<D>(doc)]));
}

/** The declarations for one kind of draft. */
export interface Slots<D extends Draft> {
  /** A keyword that stands alone. */
  flag(key: KeyFor<D, boolean>, about: About & { readonly value?: boolean }): Keyword<D>;
  /** `[on|off|true|false|yes|no]`, on when bare. `invalid` undefined: anything else is taken as on, silently. */
  toggle(key: KeyFor<D, boolean>, about: About & { readonly invalid?: (text: string, draft: D) => string }): Keyword<D>;
  /** A whole number. */
  integer(key: KeyFor<D, number>, about: NumberAbout<D>): Keyword<D>;
  /** Seconds without fraction, kept as milliseconds. */
  wholeSeconds(key: KeyFor<D, number>, about: NumberAbout<D>): Keyword<D>;
  /** Seconds with fraction, kept as milliseconds. */
  seconds(key: KeyFor<D, number>, about: NumberAbout<D>): Keyword<D>;
  /** One word. `missing`: the message when it isn't there; without it keepalived ends. */
  text(key: KeyFor<D, string>, about: About & { readonly missing?: string }): Keyword<D>;
}

/** Typed makers of declarations; the keys are those of the draft. */
export function slotsOf<D extends Draft>(): Slots<D> {
  const set = <V>(draft: D, key: KeyFor<D, V>, value: V): void => {
    (draft as Record<PropertyKey, unknown>)[key as PropertyKey] = value;
  };
  const numeric =
    (read: (text: string, min: number, max: number) => NumberRead, scale: number) =>
    (key: KeyFor<D, number>, about: NumberAbout<D>): Keyword<D> =>
      keyword({ syntax: `${about.min}…${about.max}`, ...about }, (draft, line, scope) => {
        const value = number(line, scope, about, draft, read);
        if (value !== undefined) set(draft, key, Math.round(value * scale * 1000) / 1000);
      });
  return {
    flag: (key, about) => keyword(about, (draft) => set(draft, key, about.value ?? true)),
    toggle: (key, about) =>
      keyword({ syntax: "[on|off]", ...about }, (draft, line, scope) => {
        const [, word] = line.words;
        const value = word === undefined ? true : readBoolean(word);
        if (value !== undefined) set(draft, key, value);
        else if (about.invalid === undefined) set(draft, key, true);
        else scope.report("warn", about.invalid(word as string, draft), line.position);
      }),
    integer: numeric(readInteger, 1),
    wholeSeconds: numeric(readInteger, 1000),
    seconds: numeric(readDecimal, 1000),
    text: (key, about) =>
      keyword({ syntax: "NAME", ...about }, (draft, line, scope) => {
        if (about.missing !== undefined && line.words.length < 2) scope.report("warn", about.missing, line.position);
        else {
          const word = scope.word(line, 1);
          if (word !== undefined) set(draft, key, word);
        }
      }),
  };
}

/** Reads the number behind a keyword; undefined when it is bad, which has then been reported. */
export function number<D>(
  line: Line,
  scope: Interpreter,
  about: Pick<NumberAbout<D>, "min" | "max" | "invalid" | "mend">,
  draft: D,
  read: (text: string, min: number, max: number) => NumberRead = readInteger,
): number | undefined {
  const text = scope.word(line, 1);
  if (text === undefined) return undefined;
  const result = read(text, about.min, about.max);
  if (!result.ok) {
    scope.report("warn", result.reason, line.position);
    if (about.invalid !== undefined) scope.report("warn", about.invalid(text, draft), line.position);
    return undefined;
  }
  const mended = about.mend?.(result.value, draft);
  if (mended === undefined) return result.value;
  scope.report("warn", mended.message, line.position);
  return mended.value;
}

/** Reads an address behind a keyword; undefined when there is none or it is malformed. */
export function addressOf(
  line: Line,
  scope: Interpreter,
): { text: string; address: IpAddress | undefined } | undefined {
  const text = scope.word(line, 1);
  return text === undefined ? undefined : { text, address: parseIp(text) };
}
