/** Routes and rules of policy routing, as `ip route` and `ip rule` know them, in the kernel's numbers (linux/rtnetlink.h, linux/fib_rules.h). */
import type { IpAddress } from "./ip.ts";

/** Part of an address space; no address: all of it. */
export interface IpNetwork {
  readonly address: IpAddress | undefined;
  readonly prefixLength: number;
}

/** One way of a route with several. */
export interface NextHop {
  readonly gateway: IpAddress | undefined;
  readonly linkIndex: number | undefined;
  /** 1 … 256. */
  readonly weight: number;
  readonly onlink: boolean;
  readonly realms: number;
}

export interface IpRoute {
  readonly family: 4 | 6;
  /** RTN_*: 1 unicast, 6 blackhole, 7 unreachable … */
  readonly type: number;
  readonly destination: IpNetwork;
  /** IPv6 only. */
  readonly source: IpNetwork | undefined;
  /** The address that this node's own packets get. */
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
  /** RFC 4191: 0 medium, 1 high, 3 low. */
  readonly preference: number | undefined;
  readonly ttlPropagate: number | undefined;
  /** RTAX_* and their values. */
  readonly metrics: readonly (readonly [type: number, value: number])[];
  /** A bit for each RTAX_* that the kernel must not change. */
  readonly locks: number;
  readonly congestionControl: string | undefined;
  readonly nextHops: readonly NextHop[];
}

/** Links are known by their names. */
export interface IpRule {
  readonly family: 4 | 6;
  readonly isInverted: boolean;
  readonly source: IpNetwork | undefined;
  readonly destination: IpNetwork | undefined;
  readonly typeOfService: number;
  readonly inputInterface: string | undefined;
  readonly outputInterface: string | undefined;
  /** FR_ACT_*: 1 table, 2 goto, 3 nop, 6 blackhole, 7 unreachable, 8 prohibit. */
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
