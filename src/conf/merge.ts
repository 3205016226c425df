/** Values go down from main to http, server, location and their conditions, generic from the slots. Then modules check. */
import type { Diagnostics } from "./diagnostics.ts";
import type { Scope } from "./scope.ts";
import {
  type ConfModule,
  type ConfOf,
  type Context,
  type Directives,
  type Environment,
  inheritsInto,
  type Situation,
  type Slot,
} from "./slot.ts";

type AnyConf = ConfOf<Directives>;

/** Gives every scope of the tree its merged configuration for every module. */
export function mergeScopes(main: Scope, modules: readonly ConfModule<Directives>[], environment: Environment): void {
  for (const module of modules) new Merger(module, environment).merge(main, undefined);
}

/** Merges one module's values over the whole tree. */
class Merger {
  readonly #module: ConfModule<Directives>;
  readonly #environment: Environment;
  readonly #slots: readonly (readonly [name: string, slot: Slot<unknown>])[];
  /** Those whose values do not go down everywhere. */
  readonly #restricted: readonly (readonly [name: string, slot: Slot<unknown>])[];
  readonly #defaults: AnyConf;
  /** What holds in scopes that set nothing, by the outer configuration and the context. */
  readonly #untouched = new Map<AnyConf, Map<Context, AnyConf>>();

  constructor(module: ConfModule<Directives>, environment: Environment) {
    this.#module = module;
    this.#environment = environment;
    this.#slots = Object.entries(module.directives);
    this.#restricted = this.#slots.filter(([, { inherit }]) => inherit !== "all");
    this.#defaults = Object.fromEntries(this.#slots.map(([name, slot]) => [name, slot.fallback(environment)]));
  }

  merge(scope: Scope, outer: AnyConf | undefined): void {
    const conf = this.#confOf(scope, outer);
    if (conf !== outer) scope.finish(this.#module.directives, conf);
    for (const child of scope.children) this.merge(child, conf);
  }

  /** Scopes with equal values share one object: whoever builds from it needs to build once only. */
  #confOf(scope: Scope, outer: AnyConf | undefined): AnyConf {
    if (outer === undefined || scope.sets(this.#module)) return this.#combine(scope, outer);
    const isSame = !this.#restricted.some(([name, slot]) => this.#isReset(name, slot, scope, outer));
    if (isSame && this.#module.differsInside?.(outer) !== true) return outer;
    const known = this.#untouched.get(outer) ?? new Map<Context, AnyConf>();
    this.#untouched.set(outer, known);
    const conf = known.get(scope.context) ?? this.#combine(scope, outer);
    known.set(scope.context, conf);
    return conf;
  }

  /** True when an outer value ends at this scope. */
  #isReset(name: string, slot: Slot<unknown>, { context }: Scope, outer: AnyConf): boolean {
    return outer[name] !== this.#defaults[name] && !inheritsInto(slot, context);
  }

  #combine(scope: Scope, outer: AnyConf | undefined): AnyConf {
    const module = this.#module;
    const own = scope.own(module);
    const merged: Record<string, unknown> = {};
    for (const [name, slot] of this.#slots) merged[name] = this.#valueOf(name, slot, scope, own[name], outer);
    return module.merge?.(merged, outer, { scope, own, environment: this.#environment }) ?? merged;
  }

  #valueOf(name: string, slot: Slot<unknown>, scope: Scope, own: unknown, outer: AnyConf | undefined): unknown {
    const inherited = outer !== undefined && inheritsInto(slot, scope.context);
    if (own === undefined) return inherited ? outer[name] : this.#defaults[name];
    if (slot.merge === undefined || !inherited) return own;
    return scope.parent?.origin(this.#module, name) === undefined ? own : slot.merge(outer[name], own);
  }
}

/** Lets every module look at this scope and all within, module by module as nginx does. */
export function checkScopes(
  scope: Scope,
  modules: readonly ConfModule<Directives>[],
  environment: Environment,
  found: Diagnostics,
): void {
  for (const module of modules) {
    const visit = (inner: Scope): void => {
      checkScope(inner, [module], environment, found);
      inner.children.forEach(visit);
    };
    if (module.check !== undefined) visit(scope);
  }
  for (const module of modules) {
    if (module.checkLast !== undefined) visitLast(scope, module, environment, found);
  }
}

function visitLast(scope: Scope, module: ConfModule<Directives>, environment: Environment, found: Diagnostics): void {
  const situation: Situation<Directives> = { scope, own: scope.own(module), environment };
  module.checkLast?.(scope.conf(module), situation, (severity, message, position) =>
    found.report(severity, message, position),
  );
  for (const child of scope.children) visitLast(child, module, environment, found);
}

/** Lets every module look at one scope. */
export function checkScope(
  scope: Scope,
  modules: readonly ConfModule<Directives>[],
  environment: Environment,
  found: Diagnostics,
): void {
  for (const module of modules) {
    const situation: Situation<Directives> = { scope, own: scope.own(module), environment };
    module.check?.(scope.conf(module), situation, (severity, message, position) =>
      found.report(severity, message, position),
    );
  }
}
