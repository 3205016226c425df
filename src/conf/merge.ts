/** Values go down from main to http, server, location and their conditions, generic from the slots. Then modules check. */
import type { Diagnostics } from "./diagnostics.ts";
import type { Scope } from "./scope.ts";
import {
  type ConfModule,
  type ConfOf,
  type Directives,
  type Environment,
  inheritsInto,
  type Situation,
} from "./slot.ts";

type AnyConf = ConfOf<Directives>;

/** Gives every scope of the tree its merged configuration for every module. */
export function mergeScopes(main: Scope, modules: readonly ConfModule<Directives>[], environment: Environment): void {
  for (const module of modules) {
    const defaults: Record<string, unknown> = {};
    for (const [name, slot] of Object.entries(module.directives)) defaults[name] = slot.fallback(environment);
    new Merger(module, defaults, environment).merge(main, undefined);
  }
}

/** Merges one module's values over the whole tree. */
class Merger {
  readonly #module: ConfModule<Directives>;
  readonly #defaults: AnyConf;
  readonly #environment: Environment;

  constructor(module: ConfModule<Directives>, defaults: AnyConf, environment: Environment) {
    this.#module = module;
    this.#defaults = defaults;
    this.#environment = environment;
  }

  merge(scope: Scope, outer: AnyConf | undefined): void {
    const conf = this.#confOf(scope, outer);
    scope.finish(this.#module.directives, conf);
    for (const child of scope.children) this.merge(child, conf);
  }

  /** The outer configuration itself where nothing differs: whoever builds from it needs to build once only. */
  #confOf(scope: Scope, outer: AnyConf | undefined): AnyConf {
    const module = this.#module;
    const own = scope.own(module);
    const merged: Record<string, unknown> = {};
    let differs = outer === undefined;
    for (const name of Object.keys(module.directives)) {
      const value = this.#valueOf(name, scope, own[name], outer);
      merged[name] = value;
      if (outer !== undefined && outer[name] !== value) differs = true;
    }
    if (!differs) return outer as AnyConf;
    return module.merge === undefined
      ? merged
      : module.merge(merged, outer, { scope, own, environment: this.#environment });
  }

  #valueOf(name: string, scope: Scope, own: unknown, outer: AnyConf | undefined): unknown {
    const slot = this.#module.directives[name]!;
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
