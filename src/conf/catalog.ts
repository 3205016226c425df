/** All directives that a program knows, found by name and context. */
import { assert } from "../base/assert.ts";
import { type Arity, CONTEXTS, type ConfModule, type Context, type Directives, type Slot } from "./slot.ts";

/** A directive with the module that declares it. */
export interface Declaration {
  readonly name: string;
  readonly module: ConfModule<Directives>;
  readonly slot: Slot<unknown>;
  readonly contexts: readonly Context[];
}

export interface Catalog {
  readonly modules: readonly ConfModule<Directives>[];
  readonly declarations: ReadonlyMap<string, readonly Declaration[]>;
}

/** Puts modules together. A name may be declared several times for contexts that differ. */
export function catalog(modules: readonly ConfModule<Directives>[]): Catalog {
  const declarations = new Map<string, Declaration[]>();
  for (const module of modules)
    for (const [name, slot] of Object.entries(module.directives)) {
      const contexts = contextsOf(module, name, slot);
      const known = declarations.get(name) ?? [];
      const twice = known.find((other) => other.contexts.some((context) => contexts.includes(context)));
      assert(twice === undefined, `"${name}" of ${module.name} is declared in ${twice?.module.name} too`);
      declarations.set(name, [...known, { name, module, slot, contexts }]);
    }
  return { modules, declarations };
}

function contextsOf(module: ConfModule<Directives>, name: string, slot: Slot<unknown>): readonly Context[] {
  const list = slot.in ?? module.contexts;
  assert(list !== undefined, `"${name}" of ${module.name} has contexts`);
  const contexts = list.split(",").map((word) => word.trim());
  for (const context of contexts)
    assert((CONTEXTS as readonly string[]).includes(context), `"${context}" of "${name}" is a context`);
  return contexts as Context[];
}

/** Fewest and most words behind the name. */
export function arityBounds(arity: Arity): readonly [min: number, max: number] {
  return typeof arity === "number" ? [arity, arity] : arity;
}
