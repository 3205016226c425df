/**
 * What a stream module is: one declaration of its directives and of what it does. Each function is given the module's configuration
 * of a server once, when the server is built, and returns what a session will call there, or nothing.
 */
import type { Scope } from "../conf/scope.ts";
import type { ConfModule, ConfOf, Directives } from "../conf/slot.ts";
import type { BalancerRules } from "../net/upstreams.ts";
import type { TextPlace } from "../net/variables.ts";
import type { Handler, Phase } from "./server.ts";
import type { Session } from "./session.ts";
import type { Definition, Setter, Variable, VariablePrefix } from "./variables.ts";
import type { Worker } from "./worker.ts";

/** Where something is built. */
export interface Place extends TextPlace<Session> {
  readonly scope: Scope;
  readonly worker: Worker;
  setter(variable: string): Setter;
}

/** Something for a place, undefined when the module has nothing to do there. */
export type Build<D extends Directives, T> = (conf: ConfOf<D>, place: Place) => T | undefined;

export interface StreamModule<D extends Directives = Directives> extends ConfModule<D> {
  readonly variables?: readonly Variable[];
  readonly prefixes?: readonly VariablePrefix[];
  /** Variables that the module's blocks in `stream` define. */
  readonly definitions?: (conf: ConfOf<D>) => readonly Definition[];
  readonly phases?: { readonly [P in Phase]?: Build<D, Handler> };
  /**
   * Takes sessions over. `order` is that of the directive that says so among all uses of the configuration: the last one of a server
   * holds, as in nginx.
   */
  readonly content?: Build<D, { readonly order: number; readonly run: (session: Session) => void }>;
  readonly log?: Build<D, (session: Session) => void>;
  /** How the peers of an upstream are chosen, when this module's directive stands in it. */
  readonly balancer?: Build<D, BalancerRules<Session>>;
}

/** Declares a module; only here to infer its types. */
export function streamModule<const D extends Directives>(module: StreamModule<D>): StreamModule<D> {
  return module;
}
