/** One use of a directive, as `bind` shows it to a slot. */
import type { Level } from "../base/log.ts";
import type { Diagnostic, Position } from "./diagnostics.ts";
import type { Directive, Word } from "./directive.ts";
import type { Scope } from "./scope.ts";
import type { Context, Directives, Environment, IncludedFile, MadeBase, Use } from "./slot.ts";
import { parseTemplate, type Template } from "./template.ts";
import type { ZoneDeclaration, ZoneDeclarations } from "./zones.ts";

/** What a use needs of the binding that it is part of. */
export interface Binding {
  readonly environment: Environment;
  readonly zones: ZoneDeclarations;
  /** By their files. */
  readonly bases: Map<string, MadeBase>;
  nextOrder(): number;
  add(diagnostic: Diagnostic): void;
  define(variable: string): void;
  refer(variable: string, position: Position): void;
}

function* onlyUses(entries: Iterable<Use | IncludedFile>): Generator<Use> {
  for (const entry of entries) if (!("source" in entry)) yield entry;
}

/** A directive in a scope, or an entry of a raw block there. */
export class DirectiveUse implements Use {
  readonly name: string;
  readonly args: readonly string[];
  readonly words: readonly Word[];
  readonly position: Position;
  readonly order: number;
  readonly scope: Scope;
  readonly #binding: Binding;
  readonly #directive: Directive;
  readonly #directives: Directives;

  constructor(binding: Binding, directive: Directive, directives: Directives, scope: Scope) {
    this.name = directive.name;
    this.words = directive.args;
    this.args = directive.args.map((word) => word.text);
    this.position = directive.end;
    this.order = binding.nextOrder();
    this.#binding = binding;
    this.#directive = directive;
    this.#directives = directives;
    this.scope = scope;
  }

  get context(): Context {
    return this.scope.context;
  }

  get environment(): Environment {
    return this.#binding.environment;
  }

  get entries(): Iterable<Use> {
    return onlyUses(this.entriesAndFiles);
  }

  get entriesAndFiles(): Iterable<Use | IncludedFile> {
    return this.#entriesOf(this.#directive.block?.directives ?? []);
  }

  *#entriesOf(directives: readonly Directive[]): Generator<Use | IncludedFile> {
    for (const directive of directives) {
      const entry = new DirectiveUse(this.#binding, directive, this.#directives, this.scope);
      if (directive.sources !== undefined)
        for (const source of directive.sources) {
          const isNamed = !/[*?[]/.test(entry.args[0] ?? "");
          const front = { use: entry, source, isBehind: false, isSkipped: false };
          if (isNamed) yield front;
          if (front.isSkipped) continue;
          yield* this.#entriesOf(source.directives);
          if (source.fault !== undefined) this.#binding.add(source.fault);
          if (isNamed) yield { ...front, isBehind: true };
        }
      else if (directive.block !== undefined) entry.fail('unexpected "{"');
      else if (directive.name === "include") entry.invalidArity();
      else yield entry;
    }
  }

  isSet(name: string): boolean {
    return Object.hasOwn(this.scope.own({ directives: this.#directives }), name);
  }

  fail(message: string): undefined {
    this.#report("emerg", message);
    return undefined;
  }

  invalid(reason: string): undefined {
    return this.fail(`"${this.name}" directive ${reason}`);
  }

  invalidArity(): undefined {
    return this.fail(`invalid number of arguments in "${this.name}" directive`);
  }

  warn(message: string): void {
    this.#report("warn", message);
  }

  notice(message: string): void {
    this.#report("notice", message);
  }

  makeBase(base: MadeBase): void {
    this.#binding.bases.set(base.file, base);
  }

  madeBase(file: string): MadeBase | undefined {
    return this.#binding.bases.get(file);
  }

  define(variable: string): void {
    const name = variable.toLowerCase();
    if (this.environment.isConstant?.(name, this.scope.service) === true)
      this.fail(`the duplicate "${variable}" variable`);
    this.#binding.define(name);
  }

  zone(name: string, sizeBytes: number, purpose: string): ZoneDeclaration | undefined {
    const zone = this.#binding.zones.declare(name, sizeBytes, purpose);
    return typeof zone === "string" ? this.fail(zone) : zone;
  }

  refer(variable: string): void {
    this.#binding.refer(variable, this.position);
  }

  template(text: string): Template | undefined {
    const parsed = parseTemplate(text);
    if (!parsed.ok) return this.fail(parsed.reason);
    for (const part of parsed.value.parts)
      if (typeof part !== "string" && part.kind === "variable") this.refer(part.name);
    return parsed.value;
  }

  #report(severity: Level, message: string): void {
    this.#binding.add({ severity, message, position: this.position });
  }
}
