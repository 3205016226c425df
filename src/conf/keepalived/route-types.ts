/** What lines of `virtual_routes`, `static_routes`, `virtual_rules` and `static_rules` mean: `ip route` and `ip rule` in numbers. */
import type { IpAddress } from "../../base/ip.ts";
import type { Position } from "../diagnostics.ts";

/** One way of a route with several. */
export interface NextHop {
  readonly gateway: IpAddress | undefined;
  readonly interface: string | undefined;
  /** 1 … 256. */
  readonly weight: number;
  readonly onlink: boolean;
  readonly realms: number;
}

/** Part of an address space; no address: all of it. */
export interface Network {
  readonly address: IpAddress | undefined;
  readonly prefixLength: number;
}

/** What the kernel is asked for; links are still names. */
export interface RouteSettings {
  readonly family: 4 | 6;
  /** RTN_*: 1 unicast, 6 blackhole, 7 unreachable … */
  readonly type: number;
  readonly destination: Network;
  /** IPv6 only. */
  readonly source: Network | undefined;
  /** The address that this node's own packets get. */
  readonly preferredSource: IpAddress | undefined;
  readonly gateway: IpAddress | undefined;
  readonly interface: string | undefined;
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
  /** What becomes of others with the same destination. */
  readonly mode: "add" | "append" | "prepend";
}

/** A line of a block. */
export interface Placed {
  /** Nothing happens when it is lost. */
  readonly noTrack: boolean;
  /** `track_group`: whose instances depend on its link. */
  readonly trackGroup: string | undefined;
  /** As written, for logs. */
  readonly text: string;
  readonly at: Position;
}

export type ConfiguredRoute = RouteSettings & Placed;

/** What the kernel is asked for; rules know links by their names, too. */
export interface RuleSettings {
  readonly family: 4 | 6;
  readonly isInverted: boolean;
  readonly source: Network | undefined;
  readonly destination: Network | undefined;
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

export type ConfiguredRule = RuleSettings & Placed;
