/** One context of a configuration as it was used: `http`, one `server`, one `location`…, with what is set and what holds. */
import { assert } from "../base/assert.ts";
import type { Position } from "./diagnostics.ts";
import type { Directive } from "./directive.ts";
import { type ConfOf, type Context, type Directives, inheritsInto, type SlotWords } from "./slot.ts";

/** What identifies a module's configuration: anything with its `directives`. */
export interface Declares<D extends Directives> {
  readonly directives: D;
}

/** Where a value was set: every use of the directive, in order. */
export interface Origin {
  readonly scope: Scope;
  readonly directives: readonly Directive[];
  /** The lines that nginx would blame for them. */
  readonly positions: readonly Position[];
}

interface Values {
  readonly own: Record<string, unknown>;
  readonly uses: Record<string, Directive[]>;
  merged: Readonly<Record<string, unknown>> | undefined;
}

/** A scope is filled by `bind`, finished by `merge` and read by everybody else. */
export class Scope {
  readonly context: Context;
  /** Undefined for main. */
  readonly parent: Scope | undefined;
  /** The directive that opened it; undefined for main. */
  readonly directive: Directive | undefined;
  /** In the order of the file. */
  readonly children: Scope[] = [];
  readonly #values = new Map<Directives, Values>();

  constructor(context: Context, parent?: Scope, directive?: Directive) {
    this.context = context;
    this.parent = parent;
    this.directive = directive;
  }

  /** What holds here for a module: its own values, inherited ones, defaults. Frozen; shared with the parent where equal. */
  conf<D extends Directives>({ directives }: Declares<D>): ConfOf<D> {
    const merged = this.#values.get(directives)?.merged;
    assert(merged !== undefined, "the module belongs to the catalog and the configuration was merged");
    return merged as ConfOf<D>;
  }

  /** What is set right here. */
  own<D extends Directives>({ directives }: Declares<D>): Partial<ConfOf<D>> {
    return (this.#values.get(directives)?.own ?? {}) as Partial<ConfOf<D>>;
  }

  /** Where the value that holds here was set; undefined when it is the default. */
  origin<D extends Directives>(module: Declares<D>, name: keyof D & string): Origin | undefined {
    const directives = this.#values.get(module.directives)?.uses[name];
    if (directives !== undefined) return { scope: this, directives, positions: directives.map(({ end }) => end) };
    const slot = module.directives[name] as SlotWords;
    return inheritsInto(slot, this.context) ? this.parent?.origin(module, name) : undefined;
  }

  /** For `bind`: a use was accepted, and the scope's own value is now this. */
  record(directives: Directives, name: string, value: unknown, use: Directive): void {
    const { own, uses } = this.#valuesOf(directives);
    own[name] = value;
    uses[name] ??= [];
    uses[name].push(use);
  }

  /** For `merge`: what holds here. */
  finish<D extends Directives>(directives: D, merged: ConfOf<D>): void {
    const values = this.#valuesOf(directives);
    values.merged = Object.freeze(merged);
    Object.freeze(values.own);
  }

  #valuesOf(directives: Directives): Values {
    let values = this.#values.get(directives);
    if (values === undefined) {
      values = { own: {}, uses: {}, merged: undefined };
      this.#values.set(directives, values);
    }
    return values;
  }
}
