/**
 * `$variables`: a name is resolved once, when a template is compiled, into a function of the request; a value is only
 * made when somebody asks. Counterpart in nginx: ngx_http_variables.c.
 */
import { assert } from "../base/assert.ts";
import { constantOf, type Template } from "../conf/template.ts";
import type { Place } from "./module.ts";
import type { Request } from "./request.ts";

/** The value for a request; undefined is nginx's "not found" (empty in a text, `-` in a log). */
export type Getter = (request: Request) => string | undefined;
export type Setter = (request: Request, value: string) => void;

/** A variable that a module brings. */
export interface Variable {
  /** Lower case, without `$`. */
  readonly name: string;
  /** One sentence for `tandem explain` and the reference. */
  readonly doc: string;
  readonly get: Getter;
  /** For `set $name value`. */
  readonly set?: Setter;
  /** Asked once a request: the value stays what it was, whatever the request becomes. */
  readonly isKept?: true;
  /** Kept, and a configuration may give it another value (`set`, `map`). nginx: NGX_HTTP_VAR_CHANGEABLE. */
  readonly isChangeable?: true;
}

/** A family of variables with a common prefix: `$arg_x`, `$http_x`. */
export interface VariablePrefix {
  readonly prefix: string;
  readonly doc: string;
  /** The getter for one name, given what follows the prefix. */
  bind(rest: string): Getter;
}

/** A variable that a block of the configuration defines: `map`, `geo`, `split_clients`. */
export interface Definition {
  /** Lower case, without `$`. */
  readonly name: string;
  /** Asked anew each time, instead of once a request. */
  readonly isVolatile: boolean;
  /** Makes the getter, when the names of all definitions are known. Its values are never undefined. */
  compile(place: Place): Getter;
}

/** A definition in use. */
interface Defined {
  readonly name: string;
  readonly isVolatile: boolean;
  get: Getter;
}

/** Kept where a variable has no value. Values are bytes, one a character: none is this. */
const ABSENT = "\uffff";

/** Definitions that ask each other; more is a circle. nginx: ngx_http_variable_depth. */
const MAX_DEPTH = 100;

/** A text made for a request. */
export type Text = (request: Request) => string;

/** All variables of one configuration: built-in ones, prefixes, and those that the configuration defines. */
export class Variables {
  private readonly builtIn: ReadonlyMap<string, Variable>;
  private readonly prefixes: readonly VariablePrefix[];
  private readonly slots = new Map<string, number>();
  private readonly bySet = new Set<string>();
  private readonly defined = new Map<string, Defined>();
  private readonly shadows = new Map<string, { index: number }>();
  private depth = 0;
  private readonly warns: (request: Request) => boolean;

  /** `warns`: whether reading a variable that `set` has not reached yet is logged for this request. */
  constructor(
    variables: Iterable<Variable>,
    prefixes: readonly VariablePrefix[],
    warns: (request: Request) => boolean,
  ) {
    this.builtIn = new Map([...variables].map((variable) => [variable.name, variable]));
    this.prefixes = prefixes;
    this.warns = warns;
  }

  /** True for names that need no definition. */
  has(name: string): boolean {
    return this.builtIn.has(name) || this.prefixes.some(({ prefix }) => name.startsWith(prefix));
  }

  /** True for names that a configuration may not define: they have a value of their own and can't be set. */
  isConstant(name: string): boolean {
    return !this.isSettable(name);
  }

  /** Where requests keep the value of a variable that the configuration defines. */
  slot(name: string): number {
    let index = this.slots.get(name);
    if (index === undefined) {
      index = this.slots.size;
      this.slots.set(name, index);
    }
    return index;
  }

  /** Takes the definitions of a configuration over; of several with one name the last one holds. */
  define(definitions: readonly Definition[], place: Place): void {
    const all = definitions.map(({ name, isVolatile }): Defined => ({ name, isVolatile, get: () => "" }));
    for (const defined of all) this.defined.set(defined.name, defined);
    definitions.forEach((definition, i) => {
      (all[i] as Defined).get = definition.compile(place);
    });
  }

  private definedGetter(defined: Defined): Getter {
    const index = this.slot(defined.name);
    return (request) => request.values[index] ?? this.evaluate(request, defined, index);
  }

  private evaluate(request: Request, defined: Defined, index: number): string | undefined {
    if (this.depth >= MAX_DEPTH) {
      request.connection.logError("error", `cycle while evaluating variable "${defined.name}"`);
      return undefined;
    }
    this.depth++;
    const value = defined.get(request);
    this.depth--;
    if (!defined.isVolatile) keep(request, index, value);
    return value;
  }

  getter(name: string): Getter {
    const defined = this.defined.get(name);
    if (defined !== undefined) return this.definedGetter(defined);
    const known = this.builtIn.get(name);
    if (known !== undefined) return isKept(known) ? this.keptGetter(known) : known.get;
    for (const family of this.prefixes) if (name.startsWith(family.prefix)) return this.familyGetter(family, name);
    return this.slotGetter(name, this.slot(name));
  }

  /** The getter of a name that nobody has announced; undefined when there is no such variable. Nothing is kept for the name. */
  lookUp(name: string): Getter | undefined {
    const defined = this.defined.get(name);
    if (defined !== undefined) return this.definedGetter(defined);
    const known = this.builtIn.get(name);
    if (known !== undefined) return known.get;
    const index = this.slots.get(name);
    const family = this.prefixes.find(({ prefix }) => name.startsWith(prefix));
    if (family === undefined) return index === undefined ? undefined : this.slotGetter(name, index);
    const own = family.bind(name.slice(family.prefix.length));
    return index === undefined ? own : (request) => request.values[index] ?? own(request);
  }

  private slotGetter(name: string, index: number): Getter {
    return (request) => request.values[index] ?? this.unset(request, name, index);
  }

  private keptGetter({ name, get }: Variable): Getter {
    const index = this.slot(name);
    return (request) => {
      const kept = request.values[index];
      if (kept !== undefined) return kept === ABSENT ? undefined : kept;
      const value = get(request);
      keep(request, index, value ?? ABSENT);
      return value;
    };
  }

  /** A member of a family, unless `set` has given the name a value of its own in this request. */
  private familyGetter(family: VariablePrefix, name: string): Getter {
    const own = family.bind(name.slice(family.prefix.length));
    const shadow = this.shadowOf(name);
    return (request) => (shadow.index < 0 ? undefined : request.values[shadow.index]) ?? own(request);
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

  setter(name: string): Setter {
    const known = this.builtIn.get(name);
    if (known !== undefined && known.isChangeable !== true) {
      assert(known.set !== undefined, `$${name} can be set`);
      return known.set;
    }
    const index = this.slot(name);
    this.shadowOf(name).index = index;
    return (request, value) => keep(request, index, value);
  }

  /** `set` gives this variable a value somewhere. */
  declareSet(name: string): void {
    this.bySet.add(name);
  }

  private unset(request: Request, name: string, index: number): string | undefined {
    if (!this.bySet.has(name)) return undefined;
    if (this.warns(request)) request.connection.logError("warn", `using uninitialized "${name}" variable`);
    keep(request, index, "");
    return "";
  }

  /** True when `set` may change this built-in variable. */
  isSettable(name: string): boolean {
    const known = this.builtIn.get(name);
    return known === undefined || known.set !== undefined || known.isChangeable === true;
  }

  compile(template: Template): Text {
    const constant = constantOf(template);
    if (constant !== undefined) return () => constant;
    const parts = template.parts.map((part): Getter | string => {
      if (typeof part === "string") return part;
      if (part.kind === "capture") return captureGetter(part.index);
      return this.getter(part.name);
    });
    if (parts.length === 1) {
      const only = parts[0] as Getter;
      return (request) => only(request) ?? "";
    }
    return (request) => {
      let text = "";
      for (let i = 0; i < parts.length; i++) {
        const part = parts[i] as Getter | string;
        text += typeof part === "string" ? part : (part(request) ?? "");
      }
      return text;
    };
  }
}

function isKept({ isKept, isChangeable }: Variable): boolean {
  return isKept === true || isChangeable === true;
}

function keep(request: Request, index: number, value: string | undefined): void {
  while (request.values.length < index) request.values.push(undefined);
  request.values[index] = value;
}

function captureGetter(index: number): Getter {
  return (request) => request.captures?.[index];
}
