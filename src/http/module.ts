/**
 * What an http module is: one declaration of its directives and of what it does. Each function is given the module's
 * configuration of a location once, when the location is built, and returns what a request will call there, or nothing.
 */

import type { Scope } from "../conf/scope.ts";
import type { ConfModule, ConfOf, Directives } from "../conf/slot.ts";
import type { Template } from "../conf/template.ts";
import type { BalancerRules } from "../net/upstreams.ts";
import type { Handler, HeaderFilter, Location, Phase } from "./location.ts";
import type { Request } from "./request.ts";
import type { Sticky } from "./sticky.ts";
import type { Definition, Getter, Matcher, Setter, Text, Variable, VariablePrefix } from "./variables.ts";
import type { Worker } from "./worker.ts";

/** Where something is built. */
export interface Place {
  readonly scope: Scope;
  /** The location's name; "" for the server's own level. */
  readonly name: string;
  readonly worker: Worker;
  compile(template: Template): Text;
  getter(variable: string): Getter;
  setter(variable: string): Setter;
  /** The getter of a name that comes with a request; undefined when there is no such variable. */
  lookUp(variable: string): Getter | undefined;
  /** The variable belongs to `set`: reading it before is worth a warning. */
  declareSet(variable: string): void;
  /** A test that keeps its captures in the request. */
  matcher(regexp: RegExp, names: readonly string[]): Matcher;
  /** The server of this place takes CONNECT. */
  allowConnect(): void;
  /** The location that an `if` of this place leads to. */
  conditional(scope: Scope): Location;
}

/** A phase's handler for a place, undefined when the module has nothing to do there. */
export type Build<D extends Directives, T> = (conf: ConfOf<D>, place: Place) => T | undefined;

export interface HttpModule<D extends Directives = Directives> extends ConfModule<D> {
  readonly variables?: readonly Variable[];
  readonly prefixes?: readonly VariablePrefix[];
  /** Variables that the module's blocks in `http` define. */
  readonly definitions?: (conf: ConfOf<D>) => readonly Definition[];
  readonly phases?: {
    readonly [P in Exclude<Phase, "findConfig" | "postRewrite" | "postAccess" | "log">]?: Build<D, Handler>;
  };
  /** Takes the content phase of the location for itself. */
  readonly contentHandler?: Build<D, Handler>;
  /** A location whose name ends with a slash answers that name without it with a redirect, when this module serves it. */
  readonly autoRedirect?: boolean;
  /** What its variables need of a location, made once with it: `request.location.prepared.get(module)`. */
  readonly prepare?: Build<D, unknown>;
  readonly headerFilter?: Build<D, HeaderFilter>;
  /** The header filter sees the answers of subrequests too. */
  readonly filtersSubrequests?: boolean;
  readonly log?: Build<D, (request: Request) => void>;
  /** How the peers of an upstream are chosen, when this module's directive stands in it. */
  readonly balancer?: Build<D, BalancerRules<Request>>;
  /** How the sessions of an upstream stay with their peers. */
  readonly sticky?: Build<D, Sticky>;
}

/** Declares a module; only here to infer its types. */
export function httpModule<const D extends Directives>(module: HttpModule<D>): HttpModule<D> {
  return module;
}
