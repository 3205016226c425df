/**
 * How two nodes serve one address for a while: the one that has it passes packets of connections that it does not know on to
 * the one that had it, and that one keeps the address without saying so on the link. Implementation: os/detours.ts (nftables).
 */
import type { IpAddress } from "../base/ip.ts";
import type { RoutingFailure } from "./routing.ts";

/** TCP packets to `address` that begin no connection and belong to none of this node go to `to`, and with them ICMP errors. */
export interface Detour {
  readonly address: IpAddress;
  /** A node on the link; of the same family. */
  readonly to: IpAddress;
  readonly linkIndex: number;
  readonly forwarded: Forwarded;
}

/** What this node hands on to other machines (virtual servers) has no socket here, and is its own nevertheless. */
export interface Forwarded {
  /** TCP ports; 0 is any. */
  readonly ports: readonly number[];
  /** Marks of the packet filter. */
  readonly marks: readonly number[];
}

export const NOTHING_FORWARDED: Forwarded = { ports: [], marks: [] };

/** An IPv4 address that the node has and neither answers ARP for nor asks from. (IPv6 needs none of this on the loopback.) */
export interface Silence {
  readonly address: IpAddress;
  /** Stands in ARP questions instead. */
  readonly speakAs: IpAddress;
}

export interface DetourState {
  readonly detours: readonly Detour[];
  readonly silences: readonly Silence[];
}

export const NO_DETOURS: DetourState = { detours: [], silences: [] };

export interface Detours {
  /** Which families the kernel can do this for. */
  supports(): { readonly ipv4: boolean; readonly ipv6: boolean };
  /** From now on this, and nothing else: in one step, or not at all. */
  set(state: DetourState): RoutingFailure | undefined;
  /** Nothing is left in the kernel, whoever has put it there. */
  clear(): RoutingFailure | undefined;
  /** Connections with these addresses that are established or have something left to send; counts no further than `atMost`. */
  connections(addresses: readonly IpAddress[], atMost: number): number;
  /**
   * Forgets connections with these addresses that have ended (TIME_WAIT). For a minute they would claim the packets of whatever their
   * client begins from the same port, though another node has that by now.
   */
  forgetEnded(addresses: readonly IpAddress[]): RoutingFailure | undefined;
  /** Those of the addresses that a server of this node listens on by name: what is for its connections can't be told from others. */
  listeners(addresses: readonly IpAddress[]): readonly IpAddress[];
}
