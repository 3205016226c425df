/** One context of a configuration as it was used: `http`, one `server`, one `location`…, with what is set and what holds. */
import { AssertionError } from "../base/assert.ts";
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

interface Uses {
  readonly values: Record<string, unknown>;
  readonly directives: Record<string, Directive[]>;
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
  readonly #uses = new Map<Directives, Uses>();
  /** Without the modules for which the parent's configuration holds. */
  readonly #merged = new Map<Directives, Readonly<Record<string, unknown>>>();

  constructor(context: Context, parent?: Scope, directive?: Directive) {
    this.context = context;
    this.parent = parent;
    this.directive = directive;
  }

  /** The block of the main context that this is in; "main" outside of all. */
  get service(): Context {
    let scope: Scope = this;
    while (scope.parent?.parent !== undefined) scope = scope.parent;
    return scope.context;
  }

  /** What holds here for a module: its own values, inherited ones, defaults. Frozen; shared with the parent where equal. */
  conf<D extends Directives>({ directives }: Declares<D>): ConfOf<D> {
    for (let scope: Scope | undefined = this; scope !== undefined; scope = scope.parent) {
      const merged = scope.#merged.get(directives);
      if (merged !== undefined) return merged as ConfOf<D>;
    }
    throw new AssertionError("the module belongs to the catalog and the configuration was merged");
  }

  /** What is set right here. */
  own<D extends Directives>({ directives }: Declares<D>): Partial<ConfOf<D>> {
    return (this.#uses.get(directives)?.values ?? NOTHING) as Partial<ConfOf<D>>;
  }

  /** True when anything of a module is set right here. */
  sets({ directives }: Declares<Directives>): boolean {
    return this.#uses.has(directives);
  }

  /** Where the value that holds here was set; undefined when it is the default. */
  origin<D extends Directives>(module: Declares<D>, name: keyof D & string): Origin | undefined {
    const directives = this.#uses.get(module.directives)?.directives[name];
    if (directives !== undefined) return { scope: this, directives, positions: directives.map(({ end }) => end) };
    const slot = module.directives[name] as SlotWords;
    return inheritsInto(slot, this.context) ? this.parent?.origin(module, name) : undefined;
  }

  /** For `bind`: a use was accepted, and the scope's own value is now this. */
  record(directives: Directives, name: string, value: unknown, use: Directive): void {
    const uses = this.#uses.get(directives) ?? { values: {}, directives: {} };
    this.#uses.set(directives, uses);
    uses.values[name] = value;
    uses.directives[name] ??= [];
    uses.directives[name].push(use);
  }

  /** For `merge`: what holds here, where it differs from what holds around. */
  finish<D extends Directives>(directives: D, merged: ConfOf<D>): void {
    this.#merged.set(directives, Object.freeze(merged));
  }
}

/** The closing brace of the block with this context around a scope: nginx merges there, and blames its line for what it finds. */
export function closingBrace(scope: Scope, context: Context): Position | undefined {
  let around: Scope | undefined = scope;
  while (around !== undefined && around.context !== context) around = around.parent;
  return around?.directive?.block?.end;
}

const NOTHING = Object.freeze({});
