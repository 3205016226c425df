/**
 * The kernel's links and addresses: read, changed, watched. Implementation: os/routing.ts (rtnetlink); a fake with the
 * same behaviour: io/routing-fake.ts. Counterparts: keepalived's keepalived_netlink.c and vrrp_ipaddress.c, `ip link`, `ip address`.
 */
import type { Bytes } from "../base/bytes.ts";
import type { IpAddress } from "../base/ip.ts";

export interface Link {
  readonly index: number;
  readonly name: string;
  /** ARPHRD_*: 1 Ethernet, 772 loopback. */
  readonly hardwareType: number;
  /** Hardware address, empty when the link has none. */
  readonly mac: Bytes;
  readonly mtuBytes: number;
  /** Somebody has set it up (IFF_UP). */
  readonly isUp: boolean;
  /** It is up and can carry packets (IFF_UP and IFF_RUNNING): what keepalived asks of a tracked interface. */
  readonly isRunning: boolean;
  readonly isLoopback: boolean;
  readonly isPointToPoint: boolean;
  readonly canMulticast: boolean;
  /** `veth`, `bridge`, `macvlan` …; undefined for plain hardware. */
  readonly kind: string | undefined;
  /** The bridge or bond that it is a port of. */
  readonly masterIndex: number | undefined;
}

/** RT_SCOPE_* by the names that `ip` and keepalived use. */
export const SCOPES = { global: 0, site: 200, link: 253, host: 254, nowhere: 255 } as const;

/** An address as it is asked for: each property is one word of keepalived's `virtual_ipaddress`. */
export interface AddressSettings {
  readonly linkIndex: number;
  readonly ip: IpAddress;
  readonly prefixLength: number;
  /** The other end of a point-to-point address; the prefix is then this one's. */
  readonly peer?: IpAddress;
  /** IPv4 only. */
  readonly broadcast?: IpAddress;
  /** RT_SCOPE_*, 0 (global) unless given. IPv4 only; the kernel derives IPv6 scopes. */
  readonly scope?: number;
  /** `eth0:1`; IPv4 only, and it has to begin with the link's name. */
  readonly label?: string;
  /** IPv6 flags: home address, no duplicate address detection, template for temporary addresses. */
  readonly home?: boolean;
  readonly nodad?: boolean;
  readonly mngtmpaddr?: boolean;
  /** Makes no route to the prefix. */
  readonly noprefixroute?: boolean;
  /** Joins the multicast group that the address is. */
  readonly autojoin?: boolean;
  /** Seconds for which new connections may start from it; 0: deprecated at once. Forever unless given. */
  readonly preferredS?: number;
}

/** An address as the kernel has it. */
export interface Address {
  readonly linkIndex: number;
  readonly ip: IpAddress;
  readonly prefixLength: number;
  readonly peer: IpAddress | undefined;
  readonly broadcast: IpAddress | undefined;
  readonly scope: number;
  readonly label: string | undefined;
  readonly home: boolean;
  readonly nodad: boolean;
  readonly mngtmpaddr: boolean;
  readonly noprefixroute: boolean;
  readonly autojoin: boolean;
  /** Duplicate address detection is running: the address can't be used yet. */
  readonly tentative: boolean;
  /** Duplicate address detection has found another owner. */
  readonly duplicate: boolean;
  /** Seconds left; `Infinity` when unlimited. */
  readonly preferredS: number;
}

/** Why the kernel refused: errno, and a sentence that names the request and, where it gives one, the kernel's reason. */
export interface RoutingFailure {
  readonly errno: number;
  readonly message: string;
}

/** `remove…` of an address that is not there. */
export const EADDRNOTAVAIL = 99;
/** A link that does not exist, or vanished meanwhile. */
export const ENODEV = 19;

/** What a watcher is told: differences to what it was told before, never the same state twice. */
export interface RoutingWatcher {
  /** A new link, or one of which a property has changed. */
  onLink(link: Link): void;
  onLinkGone(link: Link): void;
  /** A new address, or one of which a property (except a lifetime) has changed. */
  onAddress(address: Address): void;
  onAddressGone(address: Address): void;
}

/** A running watch with the state that its watcher has been told. */
export interface RoutingWatch {
  readonly links: ReadonlyMap<number, Link>;
  addresses(): Iterable<Address>;
  close(): void;
}

/** All changes answer undefined when the kernel has done them: they are complete when the call returns. */
export interface Routing {
  /** Throws a SystemError-like `Error` only when the socket itself fails. */
  links(): readonly Link[];
  /** The link of this name, undefined when there is none. */
  link(name: string): Link | undefined;
  /** Of all links, or of one. */
  addresses(linkIndex?: number): readonly Address[];
  /** Adds the address, or changes the one that is there already (NLM_F_REPLACE): no failure in either case. */
  addAddress(settings: AddressSettings): RoutingFailure | undefined;
  /** Removes the address of this link, IP, prefix length and peer; `EADDRNOTAVAIL` when it isn't there. */
  removeAddress(
    address: Pick<AddressSettings, "linkIndex" | "ip" | "prefixLength" | "peer">,
  ): RoutingFailure | undefined;
  setLinkUp(linkIndex: number, up: boolean): RoutingFailure | undefined;
  /**
   * Tells every difference from now on; what is there already is in `links` and `addresses()` of the answer and is not told.
   * When the kernel drops messages (ENOBUFS) everything is read again, and the differences are told.
   */
  watch(watcher: RoutingWatcher): RoutingWatch;
}

/** Making and wiring links: what a rehearsal of a network needs. All answers as in `Routing`. */
export interface LinkBuilder {
  /** A pair of Ethernet links joined by a cable. */
  createVethPair(name: string, peerName: string): RoutingFailure | undefined;
  /** A switch without spanning tree and without multicast snooping. */
  createBridge(name: string): RoutingFailure | undefined;
  removeLink(linkIndex: number): RoutingFailure | undefined;
  /** Plugs a link into a bridge; undefined pulls it out. */
  setMaster(linkIndex: number, bridgeIndex: number | undefined): RoutingFailure | undefined;
  /** Isolated ports of a bridge cannot reach each other, only ports that are not isolated. */
  setPortIsolated(linkIndex: number, isolated: boolean): RoutingFailure | undefined;
  /** Gives the link, which comes down, to the network namespace of a process, under a new name if one is given. */
  moveToNamespaceOf(linkIndex: number, pid: number, name?: string): RoutingFailure | undefined;
  rename(linkIndex: number, name: string): RoutingFailure | undefined;
  setMac(linkIndex: number, mac: Bytes): RoutingFailure | undefined;
  /** Lets the carrier of a link fail or return, where its driver allows it (dummy, macvlan; not veth). */
  setCarrier(linkIndex: number, carrier: boolean): RoutingFailure | undefined;
}
