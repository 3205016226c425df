/** Makes and wires links through rtnetlink: what `ip link add|set` and `bridge link set` do. */
import { type Bytes, concatBytes } from "../base/bytes.ts";
import type { LinkBuilder, RoutingFailure } from "../io/routing.ts";
import { AF_BRIDGE } from "../wire/netlink/address.ts";
import { attribute, attributeText, attributeU8, attributeU32, nested } from "../wire/netlink/attributes.ts";
import {
  encodeLink,
  IFLA_ADDRESS,
  IFLA_BR_MCAST_SNOOPING,
  IFLA_BR_STP_STATE,
  IFLA_BRPORT_ISOLATED,
  IFLA_CARRIER,
  IFLA_IFNAME,
  IFLA_INFO_DATA,
  IFLA_INFO_KIND,
  IFLA_LINKINFO,
  IFLA_MASTER,
  IFLA_NET_NS_PID,
  IFLA_PROTINFO,
  type LinkHeader,
  RTM_DELLINK,
  RTM_NEWLINK,
  RTM_SETLINK,
  VETH_INFO_PEER,
} from "../wire/netlink/link.ts";
import { NLM_F_CREATE, NLM_F_EXCL } from "../wire/netlink/message.ts";
import { failureOf, NETLINK_ROUTE, NetlinkSocket } from "./netlink-socket.ts";

class KernelLinkBuilder implements LinkBuilder {
  readonly #socket = new NetlinkSocket(NETLINK_ROUTE);

  createVethPair(name: string, peerName: string): RoutingFailure | undefined {
    const peer = nested(VETH_INFO_PEER, [encodeLink({}, [attributeText(IFLA_IFNAME, peerName)])]);
    return this.#create(name, "veth", [peer]);
  }

  createBridge(name: string): RoutingFailure | undefined {
    return this.#create(name, "bridge", [attributeU32(IFLA_BR_STP_STATE, 0), attributeU8(IFLA_BR_MCAST_SNOOPING, 0)]);
  }

  removeLink(linkIndex: number): RoutingFailure | undefined {
    return failureOf("remove link", this.#socket.change(RTM_DELLINK, 0, encodeLink({ index: linkIndex }, [])));
  }

  setMaster(linkIndex: number, bridgeIndex: number | undefined): RoutingFailure | undefined {
    return this.#set("set master", { index: linkIndex }, [attributeU32(IFLA_MASTER, bridgeIndex ?? 0)]);
  }

  setPortIsolated(linkIndex: number, isolated: boolean): RoutingFailure | undefined {
    const setting = nested(IFLA_PROTINFO, [attributeU8(IFLA_BRPORT_ISOLATED, isolated ? 1 : 0)]);
    const body = encodeLink({ family: AF_BRIDGE, index: linkIndex }, [setting]);
    return failureOf("isolate port", this.#socket.change(RTM_SETLINK, 0, body));
  }

  moveToNamespaceOf(linkIndex: number, pid: number, name?: string): RoutingFailure | undefined {
    const attributes = [attributeU32(IFLA_NET_NS_PID, pid)];
    if (name !== undefined) attributes.push(attributeText(IFLA_IFNAME, name));
    return this.#set("move link", { index: linkIndex }, attributes);
  }

  rename(linkIndex: number, name: string): RoutingFailure | undefined {
    return this.#set("rename link", { index: linkIndex }, [attributeText(IFLA_IFNAME, name)]);
  }

  setMac(linkIndex: number, mac: Bytes): RoutingFailure | undefined {
    return this.#set("set MAC", { index: linkIndex }, [attribute(IFLA_ADDRESS, mac)]);
  }

  setCarrier(linkIndex: number, carrier: boolean): RoutingFailure | undefined {
    return this.#set("set carrier", { index: linkIndex }, [attributeU8(IFLA_CARRIER, carrier ? 1 : 0)]);
  }

  close(): void {
    this.#socket.close();
  }

  #create(name: string, kind: string, data: readonly Bytes[]): RoutingFailure | undefined {
    const info = nested(IFLA_LINKINFO, [attributeText(IFLA_INFO_KIND, kind), nested(IFLA_INFO_DATA, data)]);
    const body = encodeLink({}, [concatBytes([attributeText(IFLA_IFNAME, name), info])]);
    return failureOf(`create ${kind} ${name}`, this.#socket.change(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body));
  }

  #set(what: string, header: LinkHeader, attributes: readonly Bytes[]): RoutingFailure | undefined {
    return failureOf(what, this.#socket.change(RTM_NEWLINK, 0, encodeLink(header, attributes)));
  }
}

/** Changes the links of this process's network namespace. Throws `NetlinkError` when there is no socket. */
export function openLinkBuilder(): LinkBuilder & { close(): void } {
  return new KernelLinkBuilder();
}
