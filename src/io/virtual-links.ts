/**
 * Links on top of other links: macvlan and ipvlan, made, mended and removed, with the settings that make them work beside their base.
 * Implementation: os/virtual-links.ts (rtnetlink, nf_tables); a fake: io/virtual-links-fake.ts. keepalived's counterparts: vrrp_vmac.c,
 * vrrp_if_config.c, vrrp_nftables.c.
 */
import type { Bytes } from "../base/bytes.ts";
import type { IpAddress } from "../base/ip.ts";
import type { RoutingFailure } from "./routing.ts";

export interface VirtualLinkSettings {
  readonly name: string;
  readonly kind: "macvlan" | "ipvlan";
  readonly baseIndex: number;
  /** Of a macvlan. */
  readonly mac: Bytes;
  readonly ipvlanType: "bridge" | "private" | "vepa";
  /** undefined: that of the base. */
  readonly group: number | undefined;
  /** Whose addresses it will carry: IPv6 is turned off on a link of IPv4. */
  readonly family: 4 | 6;
}

/** A link on top of another one as the kernel has it. */
export interface FoundLink {
  readonly index: number;
  readonly name: string;
  readonly kind: string | undefined;
  readonly baseIndex: number | undefined;
  readonly mac: Bytes;
  /** A private macvlan, or an ipvlan of layer 2. */
  readonly isOurKind: boolean;
  readonly ipvlanType: "bridge" | "private" | "vepa" | undefined;
}

/** What a base must have so that it does not answer for the links on it. */
export interface ArpSettings {
  readonly arpIgnore: number;
  readonly arpFilter: number;
}

/** Whose reports about multicast groups are to leave by the base, with the base's MAC address. */
export interface QuietLink {
  readonly name: string;
  readonly baseIndex: number;
  /** An IPv6 address that the base has, too: questions about it are answered by the base alone. */
  readonly hides: IpAddress | undefined;
}

/** All changes answer undefined when the kernel has done them. */
export interface VirtualLinks {
  found(): readonly FoundLink[];
  /** Makes the link; it stays down. */
  create(settings: VirtualLinkSettings): RoutingFailure | undefined;
  /** Gives a link that is there the MAC address and the mode of `settings`. */
  update(index: number, settings: VirtualLinkSettings): RoutingFailure | undefined;
  /** Sets what a link needs to be (arp_ignore, accept_local, rp_filter, no address of its own making …), and sets it up. */
  prepare(index: number, settings: VirtualLinkSettings): RoutingFailure | undefined;
  remove(index: number): RoutingFailure | undefined;
  arpSettings(index: number): ArpSettings | undefined;
  setArpSettings(index: number, settings: ArpSettings): RoutingFailure | undefined;
  /** Says the group of a link again, so that everybody who listens hears of the link. */
  announceLink(index: number): RoutingFailure | undefined;
  /**
   * Forgets whom the kernel has talked to by this link. It would ask them again after a while whether they are still there, and
   * teach switches that the link's MAC address is here, on a backup.
   */
  forgetNeighbours(index: number): RoutingFailure | undefined;
  /** From now on these links are quiet, and no others: in one step, or not at all. */
  quieten(links: readonly QuietLink[]): RoutingFailure | undefined;
}
