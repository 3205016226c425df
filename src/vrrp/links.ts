/** What a router needs to know of its links: are they there, are they up, from which address do adverts come. */
import { equalBytes } from "../base/bytes.ts";
import type { IpAddress } from "../base/ip.ts";
import type { VirtualLink, VrrpInstance } from "../conf/keepalived/config.ts";
import type { Address, Link } from "../io/routing.ts";

/** The state of all links, kept up to date by the watch of a node. */
export interface LinkView {
  readonly links: Iterable<Link>;
  readonly addresses: Iterable<Address>;
}

/** RT_SCOPE_LINK: an address of this scope or a narrower one is none to send from. */
export const SCOPE_LINK = 253;

/** The link of this name, undefined when there is none. */
export function linkNamed(view: LinkView, name: string | undefined): Link | undefined {
  if (name === undefined) return undefined;
  for (const link of view.links) if (link.name === name) return link;
  return undefined;
}

/** All links that an instance makes. */
export function virtualLinksOf({ virtualLink, addressLinks }: VrrpInstance): readonly VirtualLink[] {
  return virtualLink === undefined ? addressLinks : [virtualLink, ...addressLinks];
}

/** The interface that a link of an instance is on top of, or the link itself when it is none of those. */
export function baseOf(instance: VrrpInstance, name: string | undefined): string | undefined {
  return virtualLinksOf(instance).find((link) => link.name === name)?.base ?? name;
}

/** fe80::/10. */
export function isLinkLocal(ip: IpAddress): boolean {
  return ip[0] === 0xfe && ((ip[1] as number) & 0xc0) === 0x80;
}

/** Where adverts come from: the configured address, else the link's first (IPv6: link-local) one that is not virtual. */
export function sourceAddress(
  instance: VrrpInstance,
  view: LinkView,
  virtual: readonly IpAddress[],
): IpAddress | undefined {
  if (instance.sourceAddress !== undefined) return instance.sourceAddress;
  const link = linkNamed(view, instance.interface);
  if (link === undefined) return undefined;
  for (const address of view.addresses) {
    const { ip, linkIndex, tentative, scope } = address;
    if (linkIndex !== link.index || ip.length !== (instance.family === 4 ? 4 : 16)) continue;
    if (virtual.some((other) => equalBytes(other, ip))) continue;
    if (ip.length === 16 ? isLinkLocal(ip) && !tentative : scope < SCOPE_LINK) return ip;
  }
  return undefined;
}

/** The links without which an instance is in fault: its own, and those of its addresses. */
export function neededLinksOf(instance: VrrpInstance): readonly string[] {
  const names = new Set<string>();
  const own = [instance.interface, instance.virtualLink?.name];
  if (instance.trackPrimary) for (const name of own) if (name !== undefined) names.add(name);
  for (const address of [...instance.addresses, ...instance.excludedAddresses])
    if (!address.noTrack && address.interface !== undefined && !own.includes(address.interface))
      names.add(address.interface);
  for (const name of instance.itemLinks) names.add(name);
  return [...names];
}

/** What is wrong with an instance's own interface, the interfaces of its addresses and its source address. */
export function linkFaults(instance: VrrpInstance, view: LinkView, source: IpAddress | undefined): string[] {
  const faults: string[] = [];
  for (const name of neededLinksOf(instance)) {
    const link = linkNamed(view, name);
    if (link === undefined) faults.push(`interface ${name} does not exist`);
    else if (!link.isRunning) faults.push(`interface ${name} is down`);
  }
  if (source === undefined && faults.length === 0)
    faults.push(`interface ${instance.interface} has no IPv${instance.family} address to send from`);
  if (instance.trackSourceAddress && source !== undefined && !isPresent(view, source))
    faults.push("the source address is missing");
  if (instance.unicastFaultWithoutPeer && instance.unicast && instance.unicastPeers.length === 0)
    faults.push("no unicast peer is configured");
  return faults;
}

function isPresent(view: LinkView, ip: IpAddress): boolean {
  for (const address of view.addresses) if (equalBytes(address.ip, ip)) return true;
  return false;
}
