/** Links and addresses as a watcher knows them: tells it the differences between that and what is true now. */
import { equalBytes } from "../base/bytes.ts";
import { printIp } from "../base/ip.ts";
import type { Address, AddressSettings, Link, RoutingWatcher } from "./routing.ts";

/** What makes two addresses the same one to the kernel. */
export function addressKey(
  address: Pick<AddressSettings, "linkIndex" | "ip" | "prefixLength"> & { peer?: Address["peer"] },
): string {
  const peer = address.peer === undefined ? "" : ` peer ${printIp(address.peer)}`;
  return `${address.linkIndex} ${printIp(address.ip)}/${address.prefixLength}${peer}`;
}

/** Equal in every property but the lifetime, which changes by itself. */
function sameAddress(a: Address, b: Address): boolean {
  return Object.entries(a).every(([name, value]) => {
    const other = b[name as keyof Address];
    if (name === "preferredS") return true;
    return value instanceof Uint8Array && other instanceof Uint8Array ? equalBytes(value, other) : value === other;
  });
}

function sameLink(a: Link, b: Link): boolean {
  return Object.entries(a).every(([name, value]) => {
    const other = b[name as keyof Link];
    return value instanceof Uint8Array && other instanceof Uint8Array ? equalBytes(value, other) : value === other;
  });
}

/** The mutable state of one watch. */
export class RoutingState {
  readonly links = new Map<number, Link>();
  /** By `addressKey`. */
  readonly addresses = new Map<string, Address>();
  readonly #watcher: RoutingWatcher;

  /** Starts from a state that the watcher is not told. */
  constructor(watcher: RoutingWatcher, links: Iterable<Link>, addresses: Iterable<Address>) {
    this.#watcher = watcher;
    for (const link of links) this.links.set(link.index, link);
    for (const address of addresses) this.addresses.set(addressKey(address), address);
  }

  putLink(link: Link): void {
    const known = this.links.get(link.index);
    if (known !== undefined && sameLink(known, link)) return;
    this.links.set(link.index, link);
    this.#watcher.onLink(link);
  }

  /** Addresses of a link that goes are told first, whether or not the kernel announces them. */
  removeLink(index: number): void {
    const known = this.links.get(index);
    if (known === undefined) return;
    for (const address of [...this.addresses.values()]) if (address.linkIndex === index) this.removeAddress(address);
    this.links.delete(index);
    this.#watcher.onLinkGone(known);
  }

  putAddress(address: Address): void {
    const key = addressKey(address);
    const known = this.addresses.get(key);
    this.addresses.set(key, address);
    if (known === undefined || !sameAddress(known, address)) this.#watcher.onAddress(address);
  }

  removeAddress(address: Address): void {
    const key = addressKey(address);
    const known = this.addresses.get(key);
    if (known === undefined) return;
    this.addresses.delete(key);
    this.#watcher.onAddressGone(known);
  }

  /** Compares with everything that is true now, and tells the differences: what is gone first. */
  replace(links: readonly Link[], addresses: readonly Address[]): void {
    const keys = new Set(addresses.map(addressKey));
    for (const [key, address] of [...this.addresses]) if (!keys.has(key)) this.removeAddress(address);
    const indexes = new Set(links.map((link) => link.index));
    for (const index of [...this.links.keys()]) if (!indexes.has(index)) this.removeLink(index);
    for (const link of links) this.putLink(link);
    for (const address of addresses) this.putAddress(address);
  }
}
