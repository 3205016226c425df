/** The virtual addresses of one router in the kernel: claimed, released, compared. keepalived's counterpart: vrrp_ipaddress.c. */
import { printIp } from "../base/ip.ts";
import type { VirtualAddress } from "../conf/keepalived/config.ts";
import { type AddressSettings, EADDRNOTAVAIL, ENODEV, type Routing } from "../io/routing.ts";

/** What the kernel is asked for. IPv6 addresses skip duplicate address detection: they have to work at once. */
export function addressSettings(address: VirtualAddress, linkIndex: number): AddressSettings {
  const settings = { linkIndex, ip: address.address, prefixLength: address.prefixLength };
  const options = {
    ...(address.peer === undefined ? {} : { peer: address.peer }),
    ...(address.home ? { home: true } : {}),
    ...(address.manageTemporary ? { mngtmpaddr: true } : {}),
    ...(address.noPrefixRoute ? { noprefixroute: true } : {}),
    ...(address.autoJoin ? { autojoin: true } : {}),
    ...(address.preferredLifetimeS === undefined ? {} : { preferredS: address.preferredLifetimeS }),
  };
  if (address.address.length === 16) return { ...settings, ...options, nodad: true };
  return {
    ...settings,
    ...options,
    scope: address.scope,
    ...(address.broadcast === undefined ? {} : { broadcast: address.broadcast }),
    ...(address.label === undefined ? {} : { label: address.label }),
  };
}

/** Sets the address; returns what went wrong as a sentence. */
export function claimAddress(routing: Routing, address: VirtualAddress, linkIndex: number): string | undefined {
  const failure = routing.addAddress(addressSettings(address, linkIndex));
  return failure === undefined ? undefined : `cannot set ${printIp(address.address)}: ${failure.message}`;
}

/** Removes the address; one that is gone already is no failure. */
export function releaseAddress(routing: Routing, address: VirtualAddress, linkIndex: number): string | undefined {
  const failure = routing.removeAddress(addressSettings(address, linkIndex));
  if (failure === undefined || failure.errno === EADDRNOTAVAIL || failure.errno === ENODEV) return undefined;
  return `cannot remove ${printIp(address.address)}: ${failure.message}`;
}
