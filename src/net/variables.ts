/**
 * `$variables`: a name is resolved once, when a template is compiled, into a function of its subject, which is what a service
 * works on (a subject, a session); a value is only made when somebody asks. Counterpart in nginx: ngx_http_variables.c,
 * ngx_stream_variables.c.
 */
import { assert } from "../base/assert.ts";
import type { Use } from "../conf/slot.ts";
import { constantOf, type Template } from "../conf/template.ts";

/** What variables are asked of. */
export interface Subject {
  /** What it keeps of values, by the slots of its variables. */
  readonly values: (string | undefined)[];
  /** Of the last regular expression that has matched. */
  captures: readonly (string | undefined)[] | undefined;
}

/** The value for a subject; undefined is nginx's "not found" (empty in a text, `-` in a log). */
export type Getter<S> = (subject: S) => string | undefined;
export type Setter<S> = (subject: S, value: string) => void;
/** A text made for a subject. */
export type Text<S> = (subject: S) => string;
/** A test of a text that keeps its captures in the subject. */
export type Matcher<S> = (subject: S, text: string) => boolean;

/** Where texts are compiled. */
export interface TextPlace<S> {
  compile(template: Template): Text<S>;
  getter(variable: string): Getter<S>;
  matcher(regexp: RegExp, names: readonly string[]): Matcher<S>;
}

/** A variable that a module brings. */
export interface Variable<S> {
  /** Lower case, without `$`. */
  readonly name: string;
  /** One sentence for `tandem explain` and the reference. */
  readonly doc: string;
  readonly get: Getter<S>;
  /** For `set $name value`. */
  readonly set?: Setter<S>;
  /** Asked once a subject: the value stays what it was, whatever the subject becomes. */
  readonly isKept?: true;
  /** Kept, and a configuration may give it another value (`set`, `map`). nginx: NGX_HTTP_VAR_CHANGEABLE. */
  readonly isChangeable?: true;
}

/** A family of variables with a common prefix: `$arg_x`, `$http_x`. */
export interface VariablePrefix<S> {
  readonly prefix: string;
  readonly doc: string;
  /** The getter for one name, given what follows the prefix. */
  bind(rest: string): Getter<S>;
}

/** A variable that a block of the configuration defines: `map`, `geo`, `split_clients`. */
export interface Definition<S> {
  /** Lower case, without `$`. */
  readonly name: string;
  /** Asked anew each time, instead of once a subject. */
  readonly isVolatile: boolean;
  /** Makes the getter, when the names of all definitions are known. Its values are never undefined. */
  compile(place: TextPlace<S>): Getter<S>;
}

/** A definition in use. */
interface Defined<S> {
  readonly name: string;
  readonly isVolatile: boolean;
  get: Getter<S>;
}

/** Kept where a variable has no value. Values are bytes, one a character: none is this. */
const ABSENT = "\uffff";

/** Definitions that ask each other; more is a circle. nginx: ngx_http_variable_depth. */
const MAX_DEPTH = 100;

/** The name of the variable that a block or `set` defines, without `$`; undefined when it has been refused. */
export function parseDefined(use: Use, word: string): string | undefined {
  if (!word.startsWith("$") || word.length === 1) return use.fail(`invalid variable name "${word}"`);
  const name = word.slice(1).toLowerCase();
  use.define(name);
  return name;
}

/** How a service logs what is wrong with the variables of a subject. */
export interface Complaints<S> {
  log(subject: S, level: "error" | "warn", message: string): void;
  /** Whether reading a variable that `set` has not reached yet is logged. */
  warns(subject: S): boolean;
}

/** All variables of one configuration: built-in ones, prefixes, and those that the configuration defines. */
export class Variables<S extends Subject> {
  private readonly builtIn: ReadonlyMap<string, Variable<S>>;
  private readonly prefixes: readonly VariablePrefix<S>[];
  private readonly slots = new Map<string, number>();
  private readonly bySet = new Set<string>();
  private readonly defined = new Map<string, Defined<S>>();
  private readonly shadows = new Map<string, { index: number }>();
  private depth = 0;
  private readonly complaints: Complaints<S>;

  constructor(variables: Iterable<Variable<S>>, prefixes: readonly VariablePrefix<S>[], complaints: Complaints<S>) {
    this.builtIn = new Map([...variables].map((variable) => [variable.name, variable]));
    this.prefixes = prefixes;
    this.complaints = complaints;
  }

  /** True for names that need no definition. */
  has(name: string): boolean {
    return this.builtIn.has(name) || this.prefixes.some(({ prefix }) => name.startsWith(prefix));
  }

  /** True for names that a configuration may not define: they have a value of their own and can't be set. */
  isConstant(name: string): boolean {
    return !this.isSettable(name);
  }

  /** Where subjects keep the value of a variable that the configuration defines. */
  slot(name: string): number {
    let index = this.slots.get(name);
    if (index === undefined) {
      index = this.slots.size;
      this.slots.set(name, index);
    }
    return index;
  }

  /** Takes the definitions of a configuration over; of several with one name the last one holds. */
  define(definitions: readonly Definition<S>[], place: TextPlace<S>): void {
    const all = definitions.map(({ name, isVolatile }): Defined<S> => ({ name, isVolatile, get: () => "" }));
    for (const defined of all) this.defined.set(defined.name, defined);
    definitions.forEach((definition, i) => {
      (all[i] as Defined<S>).get = definition.compile(place);
    });
  }

  private definedGetter(defined: Defined<S>): Getter<S> {
    const index = this.slot(defined.name);
    return (subject) => subject.values[index] ?? this.evaluate(subject, defined, index);
  }

  private evaluate(subject: S, defined: Defined<S>, index: number): string | undefined {
    if (this.depth >= MAX_DEPTH) {
      this.complaints.log(subject, "error", `cycle while evaluating variable "${defined.name}"`);
      return undefined;
    }
    this.depth++;
    const value = defined.get(subject);
    this.depth--;
    if (!defined.isVolatile) keep(subject, index, value);
    return value;
  }

  getter(name: string): Getter<S> {
    const defined = this.defined.get(name);
    if (defined !== undefined) return this.definedGetter(defined);
    const known = this.builtIn.get(name);
    if (known !== undefined) return isKept(known) ? this.keptGetter(known) : known.get;
    for (const family of this.prefixes) if (name.startsWith(family.prefix)) return this.familyGetter(family, name);
    return this.slotGetter(name, this.slot(name));
  }

  /** The getter of a name that nobody has announced; undefined when there is no such variable. Nothing is kept for the name. */
  lookUp(name: string): Getter<S> | undefined {
    const defined = this.defined.get(name);
    if (defined !== undefined) return this.definedGetter(defined);
    const known = this.builtIn.get(name);
    if (known !== undefined) return known.get;
    const index = this.slots.get(name);
    const family = this.prefixes.find(({ prefix }) => name.startsWith(prefix));
    if (family === undefined) return index === undefined ? undefined : this.slotGetter(name, index);
    const own = family.bind(name.slice(family.prefix.length));
    return index === undefined ? own : (subject) => subject.values[index] ?? own(subject);
  }

  private slotGetter(name: string, index: number): Getter<S> {
    return (subject) => subject.values[index] ?? this.unset(subject, name, index);
  }

  private keptGetter({ name, get }: Variable<S>): Getter<S> {
    const index = this.slot(name);
    return (subject) => {
      const kept = subject.values[index];
      if (kept !== undefined) return kept === ABSENT ? undefined : kept;
      const value = get(subject);
      keep(subject, index, value ?? ABSENT);
      return value;
    };
  }

  /** A member of a family, unless `set` has given the name a value of its own in this subject. */
  private familyGetter(family: VariablePrefix<S>, name: string): Getter<S> {
    const own = family.bind(name.slice(family.prefix.length));
    const shadow = this.shadowOf(name);
    return (subject) => (shadow.index < 0 ? undefined : subject.values[shadow.index]) ?? own(subject);
  }

  /** Where such values are kept; -1 while nothing in the configuration sets one. Getters may be made before. */
  private shadowOf(name: string): { index: number } {
    let shadow = this.shadows.get(name);
    if (shadow === undefined) {
      shadow = { index: -1 };
      this.shadows.set(name, shadow);
    }
    return shadow;
  }

  setter(name: string): Setter<S> {
    const known = this.builtIn.get(name);
    if (known !== undefined && known.isChangeable !== true) {
      assert(known.set !== undefined, `$${name} can be set`);
      return known.set;
    }
    const index = this.slot(name);
    this.shadowOf(name).index = index;
    return (subject, value) => keep(subject, index, value);
  }

  /** `set` gives this variable a value somewhere. */
  declareSet(name: string): void {
    this.bySet.add(name);
  }

  private unset(subject: S, name: string, index: number): string | undefined {
    if (!this.bySet.has(name)) return undefined;
    if (this.complaints.warns(subject)) this.complaints.log(subject, "warn", `using uninitialized "${name}" variable`);
    keep(subject, index, "");
    return "";
  }

  /** True when `set` may change this built-in variable. */
  isSettable(name: string): boolean {
    const known = this.builtIn.get(name);
    return known === undefined || known.set !== undefined || known.isChangeable === true;
  }

  compile(template: Template): Text<S> {
    const constant = constantOf(template);
    if (constant !== undefined) return () => constant;
    const parts = template.parts.map((part): Getter<S> | string => {
      if (typeof part === "string") return part;
      if (part.kind === "capture") return captureGetter(part.index);
      return this.getter(part.name);
    });
    if (parts.length === 1) {
      const only = parts[0] as Getter<S>;
      return (subject) => only(subject) ?? "";
    }
    return (subject) => {
      let text = "";
      for (let i = 0; i < parts.length; i++) {
        const part = parts[i] as Getter<S> | string;
        text += typeof part === "string" ? part : (part(subject) ?? "");
      }
      return text;
    };
  }
}

function isKept({ isKept, isChangeable }: Pick<Variable<never>, "isKept" | "isChangeable">): boolean {
  return isKept === true || isChangeable === true;
}

function keep(subject: Subject, index: number, value: string | undefined): void {
  while (subject.values.length < index) subject.values.push(undefined);
  subject.values[index] = value;
}

function captureGetter(index: number): Getter<Subject> {
  return (subject) => subject.captures?.[index];
}
