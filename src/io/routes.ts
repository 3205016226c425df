/**
 * The kernel's routes and rules: added and removed, never read. Implementation: os/routes.ts (rtnetlink); a fake: io/routes-fake.ts.
 * keepalived's counterparts: vrrp_iproute.c, vrrp_iprule.c; `ip route`, `ip rule`.
 */
import type { IpRoute, IpRule } from "../base/ip-route.ts";
import type { RoutingFailure } from "./routing.ts";

export interface RouteRequest extends IpRoute {
  /** What becomes of others with the same destination. */
  readonly mode: "add" | "append" | "prepend";
}

/** It is there already. */
export const EEXIST = 17;
/** There is no such route, rule or link. */
export const NOT_THERE: ReadonlySet<number> = new Set([2, 3, 19]);

/** All changes answer undefined when the kernel has done them. */
export interface Routes {
  /** `EEXIST` when the very same route is there. */
  addRoute(route: RouteRequest): RoutingFailure | undefined;
  removeRoute(route: RouteRequest): RoutingFailure | undefined;
  /** `EEXIST` when the very same rule is there. */
  addRule(rule: IpRule): RoutingFailure | undefined;
  removeRule(rule: IpRule): RoutingFailure | undefined;
}
