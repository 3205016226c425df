/** Routes and rules without a kernel: those that are there, as text. */

import { printIp } from "../base/ip.ts";
import type { IpNetwork, IpRule } from "../base/ip-route.ts";
import { EEXIST, type RouteRequest, type Routes } from "./routes.ts";
import type { RoutingFailure } from "./routing.ts";

const ESRCH = 3;

export class FakeRoutes implements Routes {
  readonly present = new Set<string>();
  /** What adding answers. */
  failure: RoutingFailure | undefined;

  addRoute(route: RouteRequest): RoutingFailure | undefined {
    return this.#add(routeName(route));
  }

  removeRoute(route: RouteRequest): RoutingFailure | undefined {
    return this.#remove(routeName(route));
  }

  addRule(rule: IpRule): RoutingFailure | undefined {
    return this.#add(ruleName(rule));
  }

  removeRule(rule: IpRule): RoutingFailure | undefined {
    return this.#remove(ruleName(rule));
  }

  #add(name: string): RoutingFailure | undefined {
    if (this.failure !== undefined) return this.failure;
    if (this.present.has(name)) return { errno: EEXIST, message: "add: EEXIST" };
    this.present.add(name);
    return undefined;
  }

  #remove(name: string): RoutingFailure | undefined {
    return this.present.delete(name) ? undefined : { errno: ESRCH, message: "remove: ESRCH" };
  }
}

function networkName({ address, prefixLength }: IpNetwork): string {
  return address === undefined ? "default" : `${printIp(address)}/${prefixLength}`;
}

function routeName({ destination, linkIndex, table, metric }: RouteRequest): string {
  return `route ${networkName(destination)} link ${linkIndex} table ${table}${metric === undefined ? "" : ` ${metric}`}`;
}

function ruleName({ source, table, priority }: IpRule): string {
  return `rule ${source === undefined ? "all" : networkName(source)} table ${table} at ${priority}`;
}
