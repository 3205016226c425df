/**
 * `$variables`: a name is resolved once, when a template is compiled, into a function of the request; a value is only
 * made when somebody asks. Counterpart in nginx: ngx_http_variables.c.
 */
import { assert } from "../base/assert.ts";
import { constantOf, type Template } from "../conf/template.ts";
import type { Request } from "./request.ts";

/** The value for a request; undefined is nginx's "not found" (empty in a text, `-` in a log). */
export type Getter = (request: Request) => string | undefined;
export type Setter = (request: Request, value: string) => void;

/** A variable that a module brings. */
export interface Variable {
  /** Lower case, without `$`. A name that ends with `_` is a prefix (`arg_`): `get` is made for the rest of the name. */
  readonly name: string;
  readonly get: Getter;
  /** For `set $name value`. */
  readonly set?: Setter;
}

/** A family of variables with a common prefix: `$arg_x`, `$http_x`. */
export interface VariablePrefix {
  readonly prefix: string;
  /** The getter for one name, given what follows the prefix. */
  bind(rest: string): Getter;
}

/** A text made for a request. */
export type Text = (request: Request) => string;

/** All variables of one configuration: built-in ones, prefixes, and those that the configuration defines. */
export class Variables {
  private readonly builtIn: ReadonlyMap<string, Variable>;
  private readonly prefixes: readonly VariablePrefix[];
  private readonly slots = new Map<string, number>();
  private readonly bySet = new Set<string>();
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
    const known = this.builtIn.get(name);
    return known !== undefined && known.set === undefined;
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

  getter(name: string): Getter {
    const known = this.builtIn.get(name);
    if (known !== undefined) return known.get;
    if (!this.slots.has(name)) {
      for (const family of this.prefixes) {
        if (name.startsWith(family.prefix)) return family.bind(name.slice(family.prefix.length));
      }
    }
    const index = this.slot(name);
    return (request) => request.values[index] ?? this.unset(request, name, index);
  }

  setter(name: string): Setter {
    const known = this.builtIn.get(name);
    if (known !== undefined) {
      assert(known.set !== undefined, `$${name} can be set`);
      return known.set;
    }
    const index = this.slot(name);
    return (request, value) => {
      while (request.values.length < index) request.values.push(undefined);
      request.values[index] = value;
    };
  }

  /** `set` gives this variable a value somewhere. */
  declareSet(name: string): void {
    this.bySet.add(name);
  }

  private unset(request: Request, name: string, index: number): string | undefined {
    if (!this.bySet.has(name)) return undefined;
    if (this.warns(request)) request.connection.logError("warn", `using uninitialized "${name}" variable`);
    while (request.values.length < index) request.values.push(undefined);
    request.values[index] = "";
    return "";
  }

  /** True when `set` may change this built-in variable. */
  isSettable(name: string): boolean {
    const known = this.builtIn.get(name);
    return known === undefined ? true : known.set !== undefined;
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

function captureGetter(index: number): Getter {
  return (request) => request.captures?.[index];
}
