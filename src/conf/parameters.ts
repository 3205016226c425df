/** Words that may come in any order behind a directive: `max=1000 inactive=20s`, `reuseport backlog=511`, `off`. */
import type { Use } from "./slot.ts";
import type { Format } from "./values.ts";

/** One known parameter. */
export interface Parameter<T> {
  readonly hasValue: boolean;
  /** The value when the parameter is not given. */
  readonly fallback: T;
  /** Undefined when malformed. */
  parse(text: string): T | undefined;
  /** nginx's words for a malformed value; without it `invalid parameter "name=value"`. */
  complain?(text: string): string;
}

/** A word that is there or not: `reuseport`. */
export const present: Parameter<boolean> = { hasValue: false, fallback: false, parse: () => true };

/** `name=value` in a format, undefined when it is not given. */
export function valued<T>(format: Format<T>, complain?: (text: string) => string): Parameter<T | undefined>;
/** `name=value` in a format, with the value that holds when it is not given. */
export function valued<T>(
  format: Format<T>,
  complain: ((text: string) => string) | undefined,
  fallback: T,
): Parameter<T>;
export function valued<T>(
  format: Format<T>,
  complain?: (text: string) => string,
  fallback?: T,
): Parameter<T | undefined> {
  const parameter = { hasValue: true, fallback, parse: (text: string) => format.parse(text) };
  return complain === undefined ? parameter : { ...parameter, complain };
}

type Parameters = Readonly<Record<string, Parameter<unknown>>>;
type ValuesOf<P extends Parameters> = {
  readonly [K in keyof P]: P[K] extends Parameter<infer T> ? T : never;
};

/** How to read the words. */
export interface ParameterOptions {
  /** Index of the first one among the arguments; 0 without. */
  readonly from?: number;
  /** nginx's words for an unknown or malformed one; `invalid parameter "x"` without. */
  complain?(text: string): string;
}

/**
 * Reads the arguments as parameters, in any order; the last of several equal ones wins, as in nginx. Undefined when one
 * is unknown or malformed, which has been reported.
 */
export function readParameters<const P extends Parameters>(
  use: Use,
  known: P,
  options: ParameterOptions = {},
): ValuesOf<P> | undefined {
  const { from = 0, complain = (text) => `invalid parameter "${text}"` } = options;
  const values: Record<string, unknown> = {};
  for (const [name, { fallback }] of Object.entries(known)) values[name] = fallback;
  for (const text of use.args.slice(from)) {
    const equals = text.indexOf("=");
    const name = equals < 0 ? text : text.slice(0, equals);
    const parameter = Object.hasOwn(known, name) ? known[name] : undefined;
    if (parameter === undefined || parameter.hasValue !== equals >= 0) return use.fail(complain(text));
    const value = parameter.parse(text.slice(equals + 1));
    if (value === undefined) return use.fail(parameter.complain?.(text.slice(equals + 1)) ?? complain(text));
    values[name] = value;
  }
  return values as ValuesOf<P>;
}
