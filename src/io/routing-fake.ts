/** A routing port without a kernel, for tests and simulation: it passes the same cases as the real one. */
import type {
  Address,
  AddressSettings,
  Link,
  Routing,
  RoutingFailure,
  RoutingWatch,
  RoutingWatcher,
} from "./routing.ts";
import { EADDRNOTAVAIL, ENODEV } from "./routing.ts";
import { addressKey, RoutingState } from "./routing-state.ts";

/** A link of the fake; what is left out is an Ethernet link that is up and has a carrier. */
export interface FakeLinkSettings {
  readonly name: string;
  readonly mac?: Uint8Array;
  readonly mtuBytes?: number;
  readonly isUp?: boolean;
  readonly isLoopback?: boolean;
}

const ARPHRD_ETHER = 1;
const ARPHRD_LOOPBACK = 772;
const EINVAL = 22;

/** Changes take effect at once; watchers hear of them when the test calls `deliver`. */
export class FakeRouting implements Routing {
  readonly #links = new Map<number, Link>();
  readonly #carriers = new Map<number, boolean>();
  readonly #addresses = new Map<string, Address>();
  readonly #watches = new Set<RoutingState>();
  #failing: RoutingFailure | undefined;
  #version: object = {};

  constructor(links: readonly FakeLinkSettings[]) {
    for (const link of links) this.createLink(link);
  }

  /** Plugs a new link in. */
  createLink(settings: FakeLinkSettings): Link {
    const index = Math.max(0, ...this.#links.keys()) + 1;
    const isLoopback = settings.isLoopback ?? false;
    const isUp = settings.isUp ?? true;
    const link: Link = {
      index,
      name: settings.name,
      hardwareType: isLoopback ? ARPHRD_LOOPBACK : ARPHRD_ETHER,
      mac: settings.mac ?? Uint8Array.of(2, 0, 0, 0, 0, index),
      mtuBytes: settings.mtuBytes ?? 1500,
      isUp,
      isRunning: isUp,
      isLoopback,
      isPointToPoint: false,
      canMulticast: !isLoopback,
      kind: undefined,
      masterIndex: undefined,
    };
    this.#links.set(index, link);
    this.#carriers.set(index, true);
    return link;
  }

  /** Pulls the link out of the machine, with its addresses. */
  destroyLink(linkIndex: number): void {
    for (const [key, address] of this.#addresses) if (address.linkIndex === linkIndex) this.#addresses.delete(key);
    this.#version = {};
    this.#links.delete(linkIndex);
  }

  /** Unplugs or plugs the cable. */
  setCarrier(linkIndex: number, carrier: boolean): void {
    this.#carriers.set(linkIndex, carrier);
    this.#update(linkIndex, {});
  }

  /** Lets every change fail in this way, until it is called with undefined. */
  failWith(failure: RoutingFailure | undefined): void {
    this.#failing = failure;
  }

  /** Tells all watchers what has changed since the last call. */
  deliver(): void {
    for (const state of [...this.#watches]) state.replace(this.links(), this.addresses());
  }

  /** Another one whenever an address has come or gone: for whoever looks again and again. */
  get version(): object {
    return this.#version;
  }

  links(): readonly Link[] {
    return [...this.#links.values()];
  }

  link(name: string): Link | undefined {
    for (const link of this.#links.values()) if (link.name === name) return link;
    return undefined;
  }

  addresses(linkIndex?: number): readonly Address[] {
    const all = [...this.#addresses.values()];
    return linkIndex === undefined ? all : all.filter((address) => address.linkIndex === linkIndex);
  }

  addAddress(settings: AddressSettings): RoutingFailure | undefined {
    if (this.#failing !== undefined) return this.#failing;
    const link = this.#links.get(settings.linkIndex);
    if (link === undefined) return { errno: ENODEV, message: "add address: ENODEV" };
    const isIpv4 = settings.ip.length === 4;
    if (settings.prefixLength > settings.ip.length * 8) return { errno: EINVAL, message: "add address: EINVAL" };
    const label = settings.label ?? link.name;
    if (isIpv4 && !label.startsWith(link.name)) return { errno: EINVAL, message: "add address: EINVAL" };
    const address: Address = {
      linkIndex: settings.linkIndex,
      ip: settings.ip,
      prefixLength: settings.prefixLength,
      peer: settings.peer,
      broadcast: isIpv4 ? settings.broadcast : undefined,
      scope: isIpv4 ? (settings.scope ?? 0) : 0,
      label: isIpv4 ? label : undefined,
      home: !isIpv4 && settings.home === true,
      nodad: settings.nodad === true,
      mngtmpaddr: !isIpv4 && settings.mngtmpaddr === true,
      noprefixroute: settings.noprefixroute === true,
      autojoin: settings.autojoin === true,
      tentative: false,
      duplicate: false,
      preferredS: settings.preferredS ?? Number.POSITIVE_INFINITY,
    };
    this.#addresses.set(addressKey(address), address);
    this.#version = {};
    return undefined;
  }

  removeAddress(address: AddressSettings): RoutingFailure | undefined {
    if (this.#failing !== undefined) return this.#failing;
    if (!this.#links.has(address.linkIndex)) return { errno: ENODEV, message: "remove address: ENODEV" };
    this.#version = {};
    if (this.#addresses.delete(addressKey(address))) return undefined;
    return { errno: EADDRNOTAVAIL, message: "remove address: EADDRNOTAVAIL" };
  }

  /** A link that comes down loses its IPv6 addresses, as in Linux. */
  setLinkUp(linkIndex: number, up: boolean): RoutingFailure | undefined {
    if (this.#failing !== undefined) return this.#failing;
    if (!this.#links.has(linkIndex)) return { errno: ENODEV, message: "set link: ENODEV" };
    this.#update(linkIndex, { isUp: up });
    if (up) return undefined;
    this.#version = {};
    for (const [key, address] of this.#addresses)
      if (address.linkIndex === linkIndex && address.ip.length === 16) this.#addresses.delete(key);
    return undefined;
  }

  watch(watcher: RoutingWatcher): RoutingWatch {
    const state = new RoutingState(watcher, this.links(), this.addresses());
    const watches = this.#watches;
    watches.add(state);
    return {
      links: state.links,
      addresses: () => state.addresses.values(),
      close: () => watches.delete(state),
    };
  }

  #update(linkIndex: number, change: Partial<Link>): void {
    const link = this.#links.get(linkIndex);
    if (link === undefined) return;
    const changed = { ...link, ...change };
    this.#links.set(linkIndex, { ...changed, isRunning: changed.isUp && this.#carriers.get(linkIndex) === true });
  }
}
