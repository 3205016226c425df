/**
 * Watches links and addresses through rtnetlink's multicast groups. The state that the watcher knows is kept, so that it
 * hears differences only, and so that everything can be read again and compared after the kernel had to drop messages.
 */
import { constants } from "node:os";
import type { Address, Link, RoutingWatch, RoutingWatcher } from "../io/routing.ts";
import { RoutingState } from "../io/routing-state.ts";
import { AF_BRIDGE, decodeAddress, RTM_DELADDR, RTM_NEWADDR } from "../wire/netlink/address.ts";
import { decodeLink, RTM_DELLINK, RTM_NEWLINK } from "../wire/netlink/link.ts";
import { decodeMessages, type NetlinkMessage, NLMSG_OVERRUN } from "../wire/netlink/message.ts";
import { type FdWatch, watchReadable } from "./ffi/native.ts";
import { netlinkClose, netlinkOpen, netlinkReceive, netlinkReceiveBuffer } from "./ffi/netlink.ts";
import { DATAGRAM_BYTES, NETLINK_ROUTE, NetlinkError, type NetlinkSocket } from "./netlink-socket.ts";
import { addressFrom, linkFrom, readAddresses, readLinks } from "./routing-messages.ts";

/** RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR. */
const GROUPS = 0x1 | 0x10 | 0x100;
/** Room for some thousand notifications while this process does something else. */
const RECEIVE_BUFFER_BYTES = 1 << 20;
const { EAGAIN, EINTR, ENOBUFS } = constants.errno;

/** Begins to watch; `requests` is the socket with which everything is read. Throws `NetlinkError` when there is no second one. */
export function watchRouting(requests: NetlinkSocket, watcher: RoutingWatcher): RoutingWatch {
  return new KernelWatch(requests, watcher);
}

class KernelWatch implements RoutingWatch {
  readonly #requests: NetlinkSocket;
  readonly #fd: number;
  readonly #state: RoutingState;
  readonly #watch: FdWatch;
  readonly #buffer = new Uint8Array(DATAGRAM_BYTES);
  #closed = false;

  constructor(requests: NetlinkSocket, watcher: RoutingWatcher) {
    this.#requests = requests;
    // Subscribe first, read second: what happens in between is heard twice, never missed.
    this.#fd = netlinkOpen(NETLINK_ROUTE, GROUPS, true);
    if (this.#fd < 0) throw new NetlinkError("netlink socket", -this.#fd);
    netlinkReceiveBuffer(this.#fd, RECEIVE_BUFFER_BYTES);
    this.#state = new RoutingState(watcher, readLinks(requests), readAddresses(requests));
    this.#watch = watchReadable(this.#fd, () => this.#drain());
  }

  get links(): ReadonlyMap<number, Link> {
    return this.#state.links;
  }

  addresses(): Iterable<Address> {
    return this.#state.addresses.values();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#watch.close();
    netlinkClose(this.#fd);
  }

  #drain(): void {
    while (!this.#closed) {
      const received = netlinkReceive(this.#fd, this.#buffer);
      if (received === -EAGAIN) return;
      if (received === -EINTR) continue;
      if (received === -ENOBUFS || received > DATAGRAM_BYTES) {
        this.#readAgain();
        continue;
      }
      if (received < 0) throw new NetlinkError("netlink receive", -received);
      const messages = decodeMessages(this.#buffer.subarray(0, received));
      if (messages.ok) for (const message of messages.value) this.#apply(message);
      else this.#readAgain();
    }
  }

  #readAgain(): void {
    this.#state.replace(readLinks(this.#requests), readAddresses(this.#requests));
  }

  #apply(message: NetlinkMessage): void {
    switch (message.type) {
      case RTM_NEWLINK:
      case RTM_DELLINK: {
        const link = decodeLink(message.body);
        // A bridge announces its ports in its own family; a port that leaves is not a link that vanishes.
        if (!link.ok || link.value.family === AF_BRIDGE) return;
        if (message.type === RTM_NEWLINK) this.#state.putLink(linkFrom(link.value));
        else this.#state.removeLink(link.value.index);
        return;
      }
      case RTM_NEWADDR:
      case RTM_DELADDR: {
        const address = decodeAddress(message.body);
        if (!address.ok) return;
        if (message.type === RTM_NEWADDR) this.#state.putAddress(addressFrom(address.value));
        else this.#state.removeAddress(addressFrom(address.value));
        return;
      }
      case NLMSG_OVERRUN:
        this.#readAgain();
        return;
    }
  }
}
