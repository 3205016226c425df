/**
 * The routing port on the kernel's rtnetlink (rtnetlink(7)): links and addresses read, changed and watched.
 * Counterparts: keepalived_netlink.c, vrrp_ipaddress.c, iproute2.
 */
import type {
  Address,
  AddressSettings,
  Link,
  Routing,
  RoutingFailure,
  RoutingWatch,
  RoutingWatcher,
} from "../io/routing.ts";
import {
  type AddressMessage,
  encodeAddress,
  IFA_F_HOMEADDRESS,
  IFA_F_MANAGETEMPADDR,
  IFA_F_MCAUTOJOIN,
  IFA_F_NODAD,
  IFA_F_NOPREFIXROUTE,
  RTM_DELADDR,
  RTM_NEWADDR,
} from "../wire/netlink/address.ts";
import { encodeLink, IFF_UP, RTM_NEWLINK } from "../wire/netlink/link.ts";
import { NLM_F_CREATE, NLM_F_REPLACE } from "../wire/netlink/message.ts";
import { failureOf, NETLINK_ROUTE, NetlinkSocket } from "./netlink-socket.ts";
import { readAddresses, readLinks } from "./routing-messages.ts";
import { watchRouting } from "./routing-watch.ts";

/** The kernel's message from an address as it is asked for. */
function messageOf(settings: AddressSettings): AddressMessage {
  const flag = (on: boolean | undefined, bit: number): number => (on === true ? bit : 0);
  return {
    linkIndex: settings.linkIndex,
    ip: settings.ip,
    prefixLength: settings.prefixLength,
    peer: settings.peer,
    broadcast: settings.broadcast,
    label: settings.label,
    scope: settings.scope ?? 0,
    flags:
      flag(settings.home, IFA_F_HOMEADDRESS) |
      flag(settings.nodad, IFA_F_NODAD) |
      flag(settings.mngtmpaddr, IFA_F_MANAGETEMPADDR) |
      flag(settings.noprefixroute, IFA_F_NOPREFIXROUTE) |
      flag(settings.autojoin, IFA_F_MCAUTOJOIN),
    preferredS: settings.preferredS,
    validS: undefined,
  };
}

class KernelRouting implements Routing {
  readonly #socket = new NetlinkSocket(NETLINK_ROUTE);

  links(): readonly Link[] {
    return readLinks(this.#socket);
  }

  link(name: string): Link | undefined {
    return this.links().find((link) => link.name === name);
  }

  addresses(linkIndex?: number): readonly Address[] {
    const all = readAddresses(this.#socket);
    return linkIndex === undefined ? all : all.filter((address) => address.linkIndex === linkIndex);
  }

  addAddress(settings: AddressSettings): RoutingFailure | undefined {
    const flags = NLM_F_CREATE | NLM_F_REPLACE;
    return failureOf("add address", this.#socket.change(RTM_NEWADDR, flags, encodeAddress(messageOf(settings))));
  }

  removeAddress(address: AddressSettings): RoutingFailure | undefined {
    const { linkIndex, ip, prefixLength, peer } = address;
    const body = encodeAddress(
      messageOf(peer === undefined ? { linkIndex, ip, prefixLength } : { linkIndex, ip, prefixLength, peer }),
    );
    return failureOf("remove address", this.#socket.change(RTM_DELADDR, 0, body));
  }

  setLinkUp(linkIndex: number, up: boolean): RoutingFailure | undefined {
    const body = encodeLink({ index: linkIndex, flags: up ? IFF_UP : 0, change: IFF_UP }, []);
    return failureOf(up ? "set link up" : "set link down", this.#socket.change(RTM_NEWLINK, 0, body));
  }

  watch(watcher: RoutingWatcher): RoutingWatch {
    return watchRouting(this.#socket, watcher);
  }

  close(): void {
    this.#socket.close();
  }
}

/** The kernel's routing tables of this process's network namespace. Throws `NetlinkError` when there is no socket. */
export function openRouting(): Routing & { close(): void } {
  return new KernelRouting();
}
