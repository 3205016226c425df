/**
 * Syntax tree → scopes with typed values: each directive is looked up, checked (context, form, arity) and given to its
 * slot. All findings are collected, in the order in which nginx would meet them; nginx stops at the first.
 */
import { assert } from "../base/assert.ts";
import { arityBounds, type Catalog, type Declaration } from "./catalog.ts";
import { type Diagnostic, Diagnostics, type Position } from "./diagnostics.ts";
import type { Directive, Source } from "./directive.ts";
import { checkScope, checkScopes, mergeScopes } from "./merge.ts";
import { Scope } from "./scope.ts";
import type { Context, Environment, MadeBase } from "./slot.ts";
import { type Binding, DirectiveUse } from "./use.ts";
import { type ZoneDeclaration, ZoneDeclarations } from "./zones.ts";

/** A configuration with its findings; the scopes hold merged values even when there are fatal findings. */
export interface Bound {
  readonly main: Scope;
  readonly diagnostics: readonly Diagnostic[];
  readonly isUsable: boolean;
  /** Memory that workers are to share. One without a size has only been referred to. */
  readonly zones: readonly ZoneDeclaration[];
  /** Binary bases that it makes of files. */
  readonly bases: readonly MadeBase[];
}

/** Binds loaded sources in this order (nginx reads `-g` before the main file), merges and checks. */
export function bind(sources: readonly Source[], catalog: Catalog, environment: Environment): Bound {
  const binder = new Binder(catalog, environment);
  for (const source of sources) binder.source(source, binder.main);
  return binder.finish();
}

/** What was found in one directive of the main context. nginx checks a block when it ends, and only a sound one. */
interface Segment {
  readonly found: Diagnostics;
  readonly references: Map<string, Position>;
  /** Variables that its directives define: a service knows none of another. */
  readonly defined: Set<string>;
  scope?: Scope;
}

class Binder implements Binding {
  readonly main = new Scope("main");
  readonly environment: Environment;
  readonly zones = new ZoneDeclarations();
  readonly bases = new Map<string, MadeBase>();
  readonly #catalog: Catalog;
  readonly #segments: Segment[] = [];
  #segment = this.#beginSegment();
  /** The last one with a block that ended. */
  #closed: Segment | undefined;
  #order = 0;

  constructor(catalog: Catalog, environment: Environment) {
    this.#catalog = catalog;
    this.environment = environment;
  }

  /** The directives of a file, then what ended it early. */
  source({ directives, fault }: Source, scope: Scope): void {
    for (const directive of directives) this.#directive(directive, scope);
    if (fault === undefined) return;
    // A block that was cut off is not sound, though it is behind us.
    const last = directives.at(-1);
    const isCutOff =
      last !== undefined && last.block?.end === fault.position && this.#closed?.scope?.directive === last;
    if (isCutOff) this.#closed?.found.add(fault);
    else this.add(fault);
  }

  nextOrder(): number {
    return this.#order++;
  }

  add(diagnostic: Diagnostic): void {
    this.#segment.found.add(diagnostic);
  }

  define(variable: string): void {
    this.#segment.defined.add(variable);
  }

  refer(variable: string, position: Position): void {
    const { references } = this.#segment;
    if (!references.has(variable)) references.set(variable, position);
  }

  #beginSegment(): Segment {
    const segment: Segment = { found: new Diagnostics(), references: new Map(), defined: new Set() };
    this.#segments.push(segment);
    return segment;
  }

  #directive(directive: Directive, scope: Scope): void {
    // An include is nothing but what it brings; other directives that bring files are something themselves.
    if (directive.sources === undefined || directive.name !== "include") this.#plain(directive, scope);
    for (const source of directive.sources ?? []) this.source(source, scope);
  }

  #plain(directive: Directive, scope: Scope): void {
    const declaration = this.#lookUp(directive, scope.context);
    if (declaration === undefined) return;
    const context = declaration.slot.opens?.[scope.context];
    if (context === undefined) this.#set(declaration, directive, scope, undefined);
    else this.#open(declaration, directive, scope, new Scope(context, scope, directive));
  }

  /** A block of directives: they are bound even when its own words were refused, to find what is wrong in them. */
  #open(declaration: Declaration, directive: Directive, scope: Scope, opened: Scope): void {
    if (scope === this.main) this.#segment = this.#beginSegment();
    const accepted = this.#set(declaration, directive, scope, opened);
    if (accepted) scope.children.push(opened);
    for (const inner of directive.block?.directives ?? []) this.#directive(inner, opened);
    if (scope !== this.main) return;
    if (accepted) this.#segment.scope = opened;
    this.#closed = this.#segment;
    this.#segment = this.#beginSegment();
  }

  #set({ slot, module, name }: Declaration, directive: Directive, scope: Scope, opened: Scope | undefined): boolean {
    const use = new DirectiveUse(this, directive, module.directives, scope);
    const own: Readonly<Record<string, unknown>> = scope.own(module);
    const current = own[name];
    if (current !== undefined && !slot.isRepeatable) {
      use.invalid("is duplicate");
      return false;
    }
    const fatalBefore = this.#segment.found.fatalCount;
    const value = slot.set(current, use, opened);
    assert(
      value !== undefined || this.#segment.found.fatalCount > fatalBefore,
      `"${name}" says why it refuses a value`,
    );
    if (value === undefined) return false;
    scope.record(module.directives, name, value, directive);
    return true;
  }

  /** Finds the declaration for this context and checks form and arity, in nginx's order. */
  #lookUp(directive: Directive, context: Context): Declaration | undefined {
    const { name, args, block, end } = directive;
    const refuse = (message: string): undefined => {
      this.add({ severity: "emerg", message, position: end });
      return undefined;
    };
    if (name === "include")
      return refuse(
        block === undefined
          ? 'invalid number of arguments in "include" directive'
          : 'directive "include" is not terminated by ";"',
      );
    const known = this.#catalog.declarations.get(name);
    if (known === undefined) return refuse(`unknown directive "${name}"`);
    const declaration = known.find(({ contexts }) => contexts.includes(context));
    if (declaration === undefined) return refuse(`"${name}" directive is not allowed here`);
    const { slot } = declaration;
    if (slot.form === "simple" && block !== undefined) return refuse(`directive "${name}" is not terminated by ";"`);
    if (slot.form !== "simple" && block === undefined) return refuse(`directive "${name}" has no opening "{"`);
    const [min, max] = arityBounds(slot.arity);
    if (args.length < min || args.length > max) return refuse(`invalid number of arguments in "${name}" directive`);
    return declaration;
  }

  finish(): Bound {
    mergeScopes(this.main, this.#catalog.modules, this.environment);
    for (const segment of this.#segments) if (segment.found.fatalCount === 0) this.#check(segment);
    const all = new Diagnostics();
    for (const { found } of this.#segments) for (const diagnostic of found.list) all.add(diagnostic);
    if (all.fatalCount === 0) checkScope(this.main, this.#catalog.modules, this.environment, all);
    return {
      main: this.main,
      diagnostics: all.list,
      isUsable: all.fatalCount === 0,
      zones: this.zones.all,
      bases: [...this.bases.values()],
    };
  }

  #check({ found, references, defined, scope }: Segment): void {
    if (scope !== undefined) checkScopes(scope, this.#catalog.modules, this.environment, found);
    if (found.fatalCount > 0) return;
    for (const [variable, position] of references)
      if (!defined.has(variable) && this.environment.isVariable?.(variable, scope?.context ?? "main") === false)
        found.report("emerg", `unknown "${variable}" variable`, position);
  }
}
