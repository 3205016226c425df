/** The formats of single words. Slots, parameters (`name=value`) and modules' own parsers are made of these. */
import { parseMsec, parseNumber, parseOffset, parseSec, parseSize } from "./units.ts";

/** A word's format: its value, or undefined when malformed. */
export interface Format<T> {
  /** How the syntax line calls it. */
  readonly syntax: string;
  /** What nginx says of a malformed one: `"x" directive …`. */
  readonly complaint: string;
  parse(text: string): T | undefined;
}

export const number: Format<number> = { syntax: "number", complaint: "invalid number", parse: parseNumber };
/** Bytes: `8k`, `1m`. */
export const sizeBytes: Format<number> = { syntax: "size", complaint: "invalid value", parse: parseSize };
/** Bytes of a file: `1g` too. */
export const offsetBytes: Format<number> = { syntax: "size", complaint: "invalid value", parse: parseOffset };
export const milliseconds: Format<number> = { syntax: "time", complaint: "invalid value", parse: parseMsec };
export const seconds: Format<number> = { syntax: "time", complaint: "invalid value", parse: parseSec };
/** Any word. */
export const word: Format<string> = { syntax: "string", complaint: "invalid value", parse: (text) => text };

/** `on` or `off` in any case. */
export const onOff: Format<boolean> = {
  syntax: "on | off",
  complaint: 'must be "on" or "off"',
  parse: (text) => ({ on: true, off: false })[text.toLowerCase()],
};

/** One of some words, in any case. */
export function oneOf<const W extends string>(words: readonly W[]): Format<W> {
  return {
    syntax: words.join(" | "),
    complaint: "invalid value",
    parse: (text) => words.find((known) => known.toLowerCase() === text.toLowerCase()),
  };
}

/** Either format; the first that takes the word wins. */
export function either<A, B>(first: Format<A>, second: Format<B>): Format<A | B> {
  return {
    syntax: `${first.syntax} | ${second.syntax}`,
    complaint: second.complaint,
    parse: (text) => first.parse(text) ?? second.parse(text),
  };
}

/** Exactly this word, for this value: `either(exactly("off", false), sizeBytes)`. */
export function exactly<const V>(text: string, value: V): Format<V> {
  return { syntax: text, complaint: "invalid value", parse: (given) => (given === text ? value : undefined) };
}
