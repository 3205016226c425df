/** From the kernel's messages to the links and addresses of the routing port. */
import type { Bytes } from "../base/bytes.ts";
import type { Decoded } from "../base/decoded.ts";
import type { Address, Link } from "../io/routing.ts";
import {
  type AddressMessage,
  decodeAddress,
  IFA_F_DADFAILED,
  IFA_F_DEPRECATED,
  IFA_F_HOMEADDRESS,
  IFA_F_MANAGETEMPADDR,
  IFA_F_MCAUTOJOIN,
  IFA_F_NODAD,
  IFA_F_NOPREFIXROUTE,
  IFA_F_TENTATIVE,
  LIFETIME_FOREVER,
  RTM_GETADDR,
  RTM_NEWADDR,
} from "../wire/netlink/address.ts";
import { textIn, u32In } from "../wire/netlink/attributes.ts";
import {
  decodeLink,
  encodeLink,
  IFF_LOOPBACK,
  IFF_MULTICAST,
  IFF_POINTOPOINT,
  IFF_RUNNING,
  IFF_UP,
  IFLA_ADDRESS,
  IFLA_IFNAME,
  IFLA_MTU,
  type LinkMessage,
  linkKind,
  masterIndex,
  RTM_GETLINK,
  RTM_NEWLINK,
} from "../wire/netlink/link.ts";
import type { NetlinkSocket } from "./netlink-socket.ts";

/** A link of the port from the kernel's message. */
export function linkFrom(message: LinkMessage): Link {
  const { attributes, flags } = message;
  return {
    index: message.index,
    name: textIn(attributes, IFLA_IFNAME) ?? `if${message.index}`,
    hardwareType: message.hardwareType,
    mac: attributes.get(IFLA_ADDRESS)?.slice() ?? new Uint8Array(0),
    mtuBytes: u32In(attributes, IFLA_MTU) ?? 0,
    isUp: (flags & IFF_UP) !== 0,
    isRunning: (flags & IFF_UP) !== 0 && (flags & IFF_RUNNING) !== 0,
    isLoopback: (flags & IFF_LOOPBACK) !== 0,
    isPointToPoint: (flags & IFF_POINTOPOINT) !== 0,
    canMulticast: (flags & IFF_MULTICAST) !== 0,
    kind: linkKind(attributes),
    masterIndex: masterIndex(attributes),
  };
}

/** An address of the port from the kernel's message. */
export function addressFrom(message: AddressMessage): Address {
  const { flags } = message;
  return {
    linkIndex: message.linkIndex,
    ip: message.ip,
    prefixLength: message.prefixLength,
    peer: message.peer,
    broadcast: message.broadcast,
    scope: message.scope,
    label: message.label,
    home: (flags & IFA_F_HOMEADDRESS) !== 0,
    nodad: (flags & IFA_F_NODAD) !== 0,
    mngtmpaddr: (flags & IFA_F_MANAGETEMPADDR) !== 0,
    noprefixroute: (flags & IFA_F_NOPREFIXROUTE) !== 0,
    autojoin: (flags & IFA_F_MCAUTOJOIN) !== 0,
    tentative: (flags & IFA_F_TENTATIVE) !== 0,
    duplicate: (flags & IFA_F_DADFAILED) !== 0,
    preferredS: preferredLeft(message),
  };
}

/** An IPv4 address that is valid for ever is reported as preferred for ever, even when it is deprecated. */
function preferredLeft({ flags, preferredS }: AddressMessage): number {
  if ((flags & IFA_F_DEPRECATED) !== 0) return 0;
  return preferredS === undefined || preferredS === LIFETIME_FOREVER ? Number.POSITIVE_INFINITY : preferredS;
}

/** All links of this network namespace. Throws `NetlinkError` when the kernel gives no list. */
export function readLinks(socket: NetlinkSocket): readonly Link[] {
  return decodeAll(socket.dump(RTM_GETLINK, RTM_NEWLINK, encodeLink({}, [])), decodeLink).map(linkFrom);
}

/** All addresses of this network namespace, both families. */
export function readAddresses(socket: NetlinkSocket): readonly Address[] {
  return decodeAll(socket.dump(RTM_GETADDR, RTM_NEWADDR, new Uint8Array(8)), decodeAddress).map(addressFrom);
}

/** Messages that the codec does not understand (other families) are no part of the list. */
function decodeAll<T>(bodies: readonly Bytes[], decode: (body: Bytes) => Decoded<T>): T[] {
  const values: T[] = [];
  for (const body of bodies) {
    const result = decode(body);
    if (result.ok) values.push(result.value);
  }
  return values;
}
