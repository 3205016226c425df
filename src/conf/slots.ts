/**
 * Constructors of slots: a module declares each directive once with one of these, the default first, as the
 * documentation writes it. `status: num(503, { min: 400, max: 599, in: "http, server, location", doc: "…" })`
 */
import { assert } from "../base/assert.ts";
import type { Scope } from "./scope.ts";
import type { Arity, Context, Environment, Inherit, Slot, SlotWords, Use } from "./slot.ts";
import { constantOf, parseTemplate, type Template } from "./template.ts";
import { type Format, milliseconds, number, offsetBytes, oneOf, onOff, seconds, sizeBytes, word } from "./values.ts";

/** What every slot can be told. */
export interface SlotOptions<T> {
  /** One sentence: what the directive does. */
  readonly doc: string;
  /** Contexts as the documentation lists them; the module's `contexts` without it. */
  readonly in?: string;
  readonly syntax?: string;
  /** Of Tandem's own: nginx, with all modules that there are for it, has no such directive. */
  readonly isOwn?: boolean;
  readonly inherit?: Inherit;
  /** Combines the outer and the inner scope's values where both have one; without it the inner wins. */
  merge?(outer: T, inner: T): T;
}

interface Shape {
  readonly arity: Arity;
  readonly syntax: string;
  readonly defaultText: string | undefined;
  readonly isRepeatable?: boolean;
  readonly form?: SlotWords["form"];
}

/** All slots are made here. */
function slot<T, F>(
  shape: Shape,
  options: SlotOptions<T>,
  fallback: (environment: Environment) => F,
  set: (current: T | F | undefined, use: Use) => T | F | undefined,
): Slot<T | F> {
  const { doc, syntax = shape.syntax, isOwn = false, inherit = "all", merge } = options;
  return {
    doc,
    isOwn,
    in: options.in,
    syntax,
    inherit,
    arity: shape.arity,
    defaultText: shape.defaultText,
    isRepeatable: shape.isRepeatable ?? false,
    form: shape.form ?? "simple",
    fallback,
    set,
    // Only values that were set meet here, and those are T.
    ...(merge === undefined ? {} : { merge: (outer, inner) => merge(outer as T, inner as T) }),
  };
}

/** One word in a format. The default is text in the same format, so that it reads as the documentation has it. */
export function single<T, D extends string | undefined>(
  format: Format<T>,
  fallback: D,
  options: SlotOptions<T> & { validate?(value: T, use: Use): T | undefined },
): Slot<T | (D extends undefined ? undefined : never)> {
  type Fallback = D extends undefined ? undefined : never;
  const standard = fallback === undefined ? undefined : format.parse(fallback);
  assert(fallback === undefined || standard !== undefined, `the default "${fallback}" has the slot's format`);
  const { validate = (value) => value } = options;
  return slot<T, Fallback>(
    { arity: 1, syntax: format.syntax, defaultText: fallback },
    options,
    () => standard as Fallback,
    (_, use) => {
      const value = format.parse(use.args[0] as string);
      return value === undefined ? use.invalid(format.complaint) : validate(value, use);
    },
  );
}

/** `on` or `off`. */
export function flag(
  fallback: boolean,
  options: SlotOptions<boolean> & { validate?(value: boolean, use: Use): boolean | undefined },
): Slot<boolean> {
  const { validate = (value) => value } = options;
  return slot<boolean, boolean>(
    { arity: 1, syntax: onOff.syntax, defaultText: fallback ? "on" : "off" },
    options,
    () => fallback,
    (_, use) => {
      const text = use.args[0] as string;
      const value = onOff.parse(text);
      if (value === undefined)
        return use.fail(`invalid value "${text}" in "${use.name}" directive, it must be "on" or "off"`);
      return validate(value, use);
    },
  );
}

/** Bounds of a number. */
export interface Bounds {
  readonly min?: number;
  readonly max?: number;
}

function checkBounds(value: number, { min, max }: Bounds, use: Use): number | undefined {
  if (max !== undefined && (value < (min ?? 0) || value > max))
    return use.fail(`value must be between ${min ?? 0} and ${max}`);
  if (min !== undefined && value < min) return use.fail(`value must be equal to or greater than ${min}`);
  return value;
}

/** A number without sign. */
export function num<D extends number | undefined>(
  fallback: D,
  options: SlotOptions<number> & Bounds,
): Slot<number | D> {
  return slot<number, D>(
    { arity: 1, syntax: number.syntax, defaultText: fallback?.toString() },
    options,
    () => fallback,
    (_, use) => {
      const value = number.parse(use.args[0] as string);
      return value === undefined ? use.invalid(number.complaint) : checkBounds(value, options, use);
    },
  );
}

/** Bytes in memory: `8k`, `1m`. */
export function size<D extends string | undefined>(fallback: D, options: SlotOptions<number>) {
  return single(sizeBytes, fallback, options);
}

/** Bytes in a file: `1g` too. */
export function offset<D extends string | undefined>(fallback: D, options: SlotOptions<number>) {
  return single(offsetBytes, fallback, options);
}

/** A time, kept in milliseconds: `60s`, `500ms`, `1h30m`. */
export function msec<D extends string | undefined>(fallback: D, options: SlotOptions<number>) {
  return single(milliseconds, fallback, options);
}

/** A time, kept in seconds: `30d`, `1y`. */
export function sec<D extends string | undefined>(fallback: D, options: SlotOptions<number>) {
  return single(seconds, fallback, options);
}

/** Any word. */
export function text<D extends string | undefined>(fallback: D, options: SlotOptions<string>) {
  return single(word, fallback, options);
}

/** A number of buffers of one size. */
export interface Buffers {
  readonly count: number;
  readonly sizeBytes: number;
}

/** `8 4k`: so many buffers of so many bytes. nginx: `ngx_conf_set_bufs_slot`. */
export function buffers(fallback: string, options: SlotOptions<Buffers>): Slot<Buffers> {
  const parse = ([count, size]: readonly string[]): Buffers | undefined => {
    const parsed = { count: number.parse(count ?? "") ?? 0, sizeBytes: sizeBytes.parse(size ?? "") ?? 0 };
    return parsed.count === 0 || parsed.sizeBytes === 0 ? undefined : parsed;
  };
  const standard = parse(fallback.split(" "));
  assert(standard !== undefined, `the default "${fallback}" is a number and a size`);
  return slot<Buffers, Buffers>(
    { arity: 2, syntax: "number size", defaultText: fallback },
    options,
    () => standard,
    (_, use) => parse(use.args) ?? use.invalid("invalid value"),
  );
}

/** A file's name; a relative one begins at the prefix, or at the folder of the main file when `base` says `conf`. */
export function path<D extends string | undefined>(
  fallback: D,
  options: SlotOptions<string> & { readonly base?: "prefix" | "conf" },
): Slot<string | (D extends undefined ? undefined : never)> {
  type Fallback = D extends undefined ? undefined : never;
  const resolve = (name: string, environment: Environment): string =>
    fullName(name, options.base === "conf" ? environment.confPrefix : environment.prefix);
  return slot<string, Fallback>(
    { arity: 1, syntax: "path", defaultText: fallback },
    options,
    (environment) => (fallback === undefined ? undefined : resolve(fallback, environment)) as Fallback,
    (_, use) => resolve(use.args[0] as string, use.environment),
  );
}

/** The name behind its prefix unless it is absolute. nginx: `ngx_get_full_name`. */
export function fullName(name: string, prefix: string): string {
  return name.startsWith("/") ? name : prefix + name;
}

/** One of some words. nginx: `ngx_conf_enum_t`. */
export function choice<const W extends string, D extends NoInfer<W> | undefined>(
  fallback: D,
  words: readonly W[],
  options: SlotOptions<W>,
): Slot<W | D> {
  const format = oneOf(words);
  return slot<W, D>(
    { arity: 1, syntax: format.syntax, defaultText: fallback },
    options,
    () => fallback,
    (_, use) => format.parse(use.args[0] as string) ?? use.fail(`invalid value "${use.args[0]}"`),
  );
}

/** Several of some words; more uses add to the set. nginx: `ngx_conf_bitmask_t`. */
export function bits<const W extends string>(
  fallback: readonly NoInfer<W>[],
  words: readonly W[],
  options: SlotOptions<ReadonlySet<W>> & { readonly args?: Arity },
): Slot<ReadonlySet<W>> {
  const format = oneOf(words);
  const standard: ReadonlySet<W> = new Set(fallback);
  return slot<ReadonlySet<W>, never>(
    {
      arity: options.args ?? [1, Number.POSITIVE_INFINITY],
      syntax: `${words.join(" | ")} ...`,
      defaultText: fallback.length === 0 ? undefined : fallback.join(" "),
      isRepeatable: true,
    },
    options,
    () => standard as never,
    (current, use) => {
      const set = new Set(current);
      for (const arg of use.args) {
        const known = format.parse(arg);
        if (known === undefined) return use.fail(`invalid value "${arg}"`);
        if (set.has(known)) use.warn(`duplicate value "${arg}"`);
        set.add(known);
      }
      return set;
    },
  );
}

/** Text with `$variables`; without them it must have the format `constant`, if one is given. */
export function template<D extends string | undefined>(
  fallback: D,
  options: SlotOptions<Template> & { readonly constant?: Format<unknown> },
): Slot<Template | (D extends undefined ? undefined : never)> {
  type Fallback = D extends undefined ? undefined : never;
  const standard = fallback === undefined ? undefined : parseTemplate(fallback);
  assert(standard === undefined || standard.ok, `the default "${fallback}" is a template`);
  return slot<Template, Fallback>(
    { arity: 1, syntax: options.constant?.syntax ?? "string", defaultText: fallback },
    options,
    () => (standard?.ok ? standard.value : undefined) as Fallback,
    (_, use) => {
      const value = use.template(use.args[0] as string);
      const constant = value === undefined ? undefined : constantOf(value);
      const { constant: format } = options;
      if (constant === undefined || format === undefined || format.parse(constant) !== undefined) return value;
      return use.invalid(format.complaint);
    },
  );
}

/** For slots with a parser of their own. */
export interface OwnOptions<T> extends SlotOptions<T> {
  readonly syntax: string;
  /** Words behind the name; 1 without. */
  readonly args?: Arity;
  /** True when a raw block (`types { … }`) follows; the parser reads `use.entries`. */
  readonly block?: boolean;
  /** The default as text. */
  readonly defaultText?: string;
}

/** A directive with a parser of its own, used once per scope. */
export function raw<T, D>(fallback: D, parse: (use: Use) => T | undefined, options: OwnOptions<T>): Slot<T | D> {
  return slot<T, D>(
    ownShape(options, false),
    options,
    () => fallback,
    (_, use) => parse(use),
  );
}

/** A repeatable directive: one item per use. An inner scope with items of its own does not see the outer ones. */
export function list<T>(parse: (use: Use) => T | undefined, options: OwnOptions<readonly T[]>): Slot<readonly T[]> {
  return slot<readonly T[], never>(
    ownShape(options, true),
    options,
    () => EMPTY as never,
    (current, use) => {
      const item = parse(use);
      return item === undefined ? undefined : append(current, item);
    },
  );
}
const EMPTY: readonly never[] = Object.freeze([]);

/** Adds to a list that only its scope has while it is being bound: in place, because there may be thousands of items. */
function append<T>(current: readonly T[] | undefined, item: T): readonly T[] {
  if (current === undefined) return [item];
  (current as T[]).push(item);
  return current;
}

/** A repeatable directive whose uses add up to one value: `types`, `error_page`. */
export function fold<T, D>(
  fallback: D,
  parse: (use: Use, current: T | undefined) => T | undefined,
  options: OwnOptions<T>,
): Slot<T | D> {
  return slot<T, D>(
    ownShape(options, true),
    options,
    () => fallback,
    (current, use) => parse(use, current as T | undefined),
  );
}

function ownShape<T>(options: OwnOptions<T>, isRepeatable: boolean): Shape {
  const { args = 1, syntax, defaultText, block = false } = options;
  return { arity: args, syntax, defaultText, isRepeatable, form: block ? "raw" : "simple" };
}

/** A block of directives that was opened: what its own words say, and what is inside. */
export interface Opened<H> {
  readonly header: H;
  readonly scope: Scope;
  /** Among all uses in the configuration. */
  readonly order: number;
}

/** From the context in which a block stands to the context that it opens. */
export type Opens = Readonly<Partial<Record<Context, Context>>>;

/** For blocks. */
export interface BlockOptions {
  readonly doc: string;
  readonly syntax?: string;
  /** Words behind the name; none without. */
  readonly args?: Arity;
}

function blockWords(opens: Opens, options: BlockOptions, isRepeatable: boolean): SlotWords {
  const { doc, syntax = "", args = 0 } = options;
  return {
    doc,
    isOwn: false,
    in: Object.keys(opens).join(", "),
    syntax: `${syntax === "" ? "" : `${syntax} `}{ ... }`,
    inherit: "none",
    arity: args,
    defaultText: undefined,
    isRepeatable,
    form: "scope",
    opens,
  };
}

/** A block that is there once: `http`, `events`. */
export function block(opens: Opens, options: BlockOptions): Slot<Opened<undefined> | undefined> {
  return {
    ...blockWords(opens, options, false),
    fallback: () => undefined,
    set: (_, use, scope) => (scope === undefined ? undefined : { header: undefined, scope, order: use.order }),
  };
}

/** A repeatable block with words of its own: `location`, `upstream`, `if`. */
export function blocks<H>(
  opens: Opens,
  parse: (use: Use) => H | undefined,
  options: BlockOptions,
): Slot<readonly Opened<H>[]>;
/** A repeatable block without words of its own: `server`. */
export function blocks(opens: Opens, parse: undefined, options: BlockOptions): Slot<readonly Opened<undefined>[]>;
export function blocks<H>(
  opens: Opens,
  parse: ((use: Use) => H | undefined) | undefined,
  options: BlockOptions,
): Slot<readonly Opened<H | undefined>[]> {
  return {
    ...blockWords(opens, options, true),
    fallback: () => EMPTY,
    set: (current, use, scope) => {
      const header = parse?.(use);
      if ((parse !== undefined && header === undefined) || scope === undefined) return undefined;
      return append(current, { header, scope, order: use.order });
    },
  };
}
