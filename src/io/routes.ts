/**
 * The kernel's routes and rules: added and removed, never read. Implementation: os/routes.ts (rtnetlink); a fake: io/routes-fake.ts.
 * keepalived's counterparts: vrrp_iproute.c, vrrp_iprule.c; `ip route`, `ip rule`.
 */
import type { IpAddress } from "../base/ip.ts";
import type { RoutingFailure } from "./routing.ts";

export interface NetworkRequest {
  /** undefined: everything. */
  readonly address: IpAddress | undefined;
  readonly prefixLength: number;
}

export interface NextHopRequest {
  readonly gateway: IpAddress | undefined;
  readonly linkIndex: number | undefined;
  /** 1 … 256. */
  readonly weight: number;
  readonly onlink: boolean;
  readonly realms: number;
}

export interface RouteRequest {
  readonly family: 4 | 6;
  /** RTN_*. */
  readonly type: number;
  readonly destination: NetworkRequest;
  readonly source: NetworkRequest | undefined;
  readonly preferredSource: IpAddress | undefined;
  readonly gateway: IpAddress | undefined;
  readonly linkIndex: number | undefined;
  readonly table: number;
  readonly protocol: number;
  readonly scope: number | undefined;
  readonly metric: number | undefined;
  readonly typeOfService: number;
  readonly onlink: boolean;
  readonly realms: number;
  readonly expiresS: number | undefined;
  readonly preference: number | undefined;
  readonly ttlPropagate: number | undefined;
  /** RTAX_* and their values. */
  readonly metrics: readonly (readonly [type: number, value: number])[];
  readonly locks: number;
  readonly congestionControl: string | undefined;
  readonly nextHops: readonly NextHopRequest[];
  readonly mode: "add" | "append" | "prepend";
}

export interface RuleRequest {
  readonly family: 4 | 6;
  readonly isInverted: boolean;
  readonly source: NetworkRequest | undefined;
  readonly destination: NetworkRequest | undefined;
  readonly typeOfService: number;
  readonly inputInterface: string | undefined;
  readonly outputInterface: string | undefined;
  /** FR_ACT_*. */
  readonly action: number;
  readonly table: number;
  readonly target: number | undefined;
  readonly priority: number;
  readonly mark: number | undefined;
  readonly markMask: number | undefined;
  readonly realms: number;
  readonly suppressPrefixLength: number | undefined;
  readonly suppressGroup: number | undefined;
  readonly tunnelId: number | undefined;
  readonly users: readonly [first: number, last: number] | undefined;
  readonly isL3mdev: boolean;
  readonly protocol: number | undefined;
  readonly ipProtocol: number | undefined;
  readonly sourcePorts: readonly [first: number, last: number] | undefined;
  readonly destinationPorts: readonly [first: number, last: number] | undefined;
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
  addRule(rule: RuleRequest): RoutingFailure | undefined;
  removeRule(rule: RuleRequest): RoutingFailure | undefined;
}
