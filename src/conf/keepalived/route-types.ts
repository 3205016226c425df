/** What lines of `virtual_routes`, `static_routes`, `virtual_rules` and `static_rules` mean: `ip route` and `ip rule` in numbers. */
import type { IpRoute, IpRule, NextHop } from "../../base/ip-route.ts";
import type { Position } from "../diagnostics.ts";

/** One way of a route with several; its link is still a name. */
export interface NamedNextHop extends Omit<NextHop, "linkIndex"> {
  readonly interface: string | undefined;
}

/** What the kernel is asked for; links are still names. */
export interface RouteSettings extends Omit<IpRoute, "linkIndex" | "nextHops"> {
  readonly interface: string | undefined;
  readonly nextHops: readonly NamedNextHop[];
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

export type ConfiguredRule = IpRule & Placed;
