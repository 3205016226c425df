/**
 * The virtual links port on the kernel. Reports about multicast groups (IGMP, MLD) of a macvlan would teach switches that its MAC address
 * is here, on a backup, too; two tables of nf_tables send them by the base instead:
 *
 *     table ip|ip6 tandem_vmac, output, for each link:
 *         IGMP, or MLD reports                 → a copy by the base, dropped here
 *         router solicitations (IPv6)          → dropped
 *         answers about the base's own address → dropped: the base gives them, too, with its own MAC address
 */
import { writeFileSync } from "node:fs";
import type { Bytes } from "../base/bytes.ts";
import type { RoutingFailure } from "../io/routing.ts";
import type { ArpSettings, FoundLink, QuietLink, VirtualLinkSettings, VirtualLinks } from "../io/virtual-links.ts";
import { textIn } from "../wire/netlink/attributes.ts";
import {
  decodeLink,
  encodeLink,
  IFF_UP,
  IFLA_ADDRESS,
  IFLA_IFNAME,
  type LinkMessage,
  RTM_DELLINK,
  RTM_GETLINK,
  RTM_NEWLINK,
} from "../wire/netlink/link.ts";
import { NLM_F_CREATE, NLM_F_EXCL } from "../wire/netlink/message.ts";
import {
  decodeNeighbour,
  encodeNeighbour,
  encodeNeighbourRequest,
  NUD_NOARP,
  RTM_DELNEIGH,
  RTM_GETNEIGH,
  RTM_NEWNEIGH,
} from "../wire/netlink/neighbour.ts";
import {
  addBaseChain,
  addTable,
  appendRule,
  type BatchMessage,
  deleteTable,
  drop,
  duplicate,
  type Expression,
  HOOK_LOCAL_OUT,
  hostU32,
  isEqual,
  loadField,
  loadOutputName,
  loadProtocol,
  NETLINK_NETFILTER,
  REGISTER_1,
  REGISTER_2,
  setRegister,
  transaction,
} from "../wire/netlink/nftables.ts";
import { ICMP_TYPE, IP_DESTINATION, NEIGHBOUR_TARGET } from "../wire/netlink/nftables-fields.ts";
import {
  encodeIpv4Conf,
  encodeLinkGroup,
  encodeNoGeneratedAddress,
  encodeVirtualLink,
  IPVLAN_FLAGS,
  IPVLAN_MODE_L2,
  ipv4ConfIn,
  MACVLAN_MODE_PRIVATE,
  type VirtualLinkMessage,
  virtualLinkInfo,
} from "../wire/netlink/virtual-link.ts";
import { ENOENT } from "./errno.ts";
import { failureOf, NETLINK_ROUTE, NetlinkError, NetlinkSocket } from "./netlink-socket.ts";

const TABLE = "tandem_vmac";
/** In front of filters that others have made. */
const PRIORITY = -1;
const IGMP = 2;
const ICMPV6 = 58;
/** Reports of MLD 1 and 2, and MLD 1's goodbye. */
const MLD_TYPES = [131, 132, 143] as const;
const ROUTER_SOLICITATION = 133;
const NEIGHBOUR_ADVERT = 136;
const NAME_BYTES = 16;

function outputIs(name: string): readonly Expression[] {
  const padded = new Uint8Array(NAME_BYTES);
  padded.set(Buffer.from(name, "latin1").subarray(0, NAME_BYTES - 1));
  return [loadOutputName(REGISTER_1), isEqual(REGISTER_1, padded)];
}

function quietRules(family: "ip" | "ip6", { name, baseIndex, hides }: QuietLink): readonly (readonly Expression[])[] {
  const byBase = [
    loadField(REGISTER_1, IP_DESTINATION[family]),
    setRegister(REGISTER_2, hostU32(baseIndex)),
    duplicate(REGISTER_1, REGISTER_2),
    drop(),
  ];
  const is = (bytes: Bytes): Expression => isEqual(REGISTER_1, bytes);
  const protocolIs = (number: number): Expression[] => [loadProtocol(REGISTER_1), is(Uint8Array.of(number))];
  if (family === "ip") return [[...outputIs(name), ...protocolIs(IGMP), ...byBase]];
  const message = (type: number): Expression[] => [
    ...outputIs(name),
    ...protocolIs(ICMPV6),
    loadField(REGISTER_1, ICMP_TYPE),
    is(Uint8Array.of(type)),
  ];
  const hidden =
    hides === undefined
      ? []
      : [[...message(NEIGHBOUR_ADVERT), loadField(REGISTER_1, NEIGHBOUR_TARGET), is(hides), drop()]];
  return [
    ...MLD_TYPES.map((type) => [...message(type), ...byBase]),
    [...message(ROUTER_SOLICITATION), drop()],
    ...hidden,
  ];
}

/** The messages that leave these links quiet, and no others. */
export function quietTransaction(links: readonly QuietLink[]): readonly BatchMessage[] {
  const families = ["ip", "ip6"] as const;
  // Made and deleted first, so that deleting never fails.
  const clear = families.flatMap((family) => [addTable(family, TABLE), deleteTable(family, TABLE)]);
  if (links.length === 0) return transaction(clear);
  const tables = families.flatMap((family) => [
    addTable(family, TABLE),
    addBaseChain(family, TABLE, "out", { type: "filter", hook: HOOK_LOCAL_OUT, priority: PRIORITY }),
    ...links.flatMap((link) => quietRules(family, link)).map((rule) => appendRule(family, TABLE, "out", rule)),
  ]);
  return transaction([...clear, ...tables]);
}

/** How keepalived sets links up: the virtual address is answered for by its own link alone, whoever else is on the segment. */
const MACVLAN_CONF = {
  4: { arpIgnore: 1, acceptLocal: 1, rpFilter: 0, promoteSecondaries: 1 },
  6: { arpIgnore: 1 },
} as const;

export class KernelVirtualLinks implements VirtualLinks {
  readonly #socket = new NetlinkSocket(NETLINK_ROUTE);
  #rules: NetlinkSocket | undefined;
  #isQuiet = false;

  found(): readonly FoundLink[] {
    return this.#links().flatMap((message) => {
      const { kind, baseIndex, macvlanMode, ipvlanMode, ipvlanFlags } = virtualLinkInfo(message.attributes);
      const types = Object.entries(IPVLAN_FLAGS) as [FoundLink["ipvlanType"], number][];
      return {
        index: message.index,
        name: textIn(message.attributes, IFLA_IFNAME) ?? "",
        kind,
        baseIndex,
        mac: message.attributes.get(IFLA_ADDRESS)?.slice() ?? new Uint8Array(0),
        isOurKind: macvlanMode === MACVLAN_MODE_PRIVATE || ipvlanMode === IPVLAN_MODE_L2,
        ipvlanType: types.find(([, flags]) => flags === ipvlanFlags)?.[0],
      };
    });
  }

  create(settings: VirtualLinkSettings): RoutingFailure | undefined {
    const { group = this.#groupOf(settings.baseIndex), kind, name } = settings;
    const body = encodeVirtualLink({ ...messageOf(settings), group });
    return failureOf(`create ${kind} ${name}`, this.#socket.change(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body));
  }

  update(index: number, settings: VirtualLinkSettings): RoutingFailure | undefined {
    const { group = this.#groupOf(settings.baseIndex), name } = settings;
    return this.#set(`update ${name}`, encodeVirtualLink({ ...messageOf(settings), group, index }));
  }

  prepare(index: number, { name, kind, family }: VirtualLinkSettings): RoutingFailure | undefined {
    const failures = [
      kind === "macvlan" ? this.#set(`settings of ${name}`, encodeIpv4Conf(index, MACVLAN_CONF[family])) : undefined,
      setIpv6(name, family === 6),
      kind === "macvlan" ? this.#stopGenerating(index, name, family) : undefined,
      this.#set(`set ${name} up`, encodeLink({ index, flags: IFF_UP, change: IFF_UP }, [])),
    ];
    return failures.find((failure) => failure !== undefined);
  }

  /** Where IPv6 is not needed it may be missing from the kernel. */
  #stopGenerating(index: number, name: string, family: 4 | 6): RoutingFailure | undefined {
    const failure = this.#set(`addresses of ${name}`, encodeNoGeneratedAddress(index));
    return family === 6 ? failure : undefined;
  }

  remove(index: number): RoutingFailure | undefined {
    return failureOf("remove link", this.#socket.change(RTM_DELLINK, 0, encodeLink({ index }, [])));
  }

  arpSettings(index: number): ArpSettings | undefined {
    const attributes = this.#link(index)?.attributes;
    if (attributes === undefined) return undefined;
    const [arpIgnore, arpFilter] = [ipv4ConfIn(attributes, "arpIgnore"), ipv4ConfIn(attributes, "arpFilter")];
    return arpIgnore === undefined || arpFilter === undefined ? undefined : { arpIgnore, arpFilter };
  }

  setArpSettings(index: number, { arpIgnore, arpFilter }: ArpSettings): RoutingFailure | undefined {
    return this.#set("settings of a base link", encodeIpv4Conf(index, { arpIgnore, arpFilter }));
  }

  announceLink(index: number): RoutingFailure | undefined {
    return this.#set("announce link", encodeLinkGroup(index, this.#groupOf(index) ?? 0));
  }

  forgetNeighbours(index: number): RoutingFailure | undefined {
    let failure: RoutingFailure | undefined;
    for (const body of this.#socket.dump(RTM_GETNEIGH, RTM_NEWNEIGH, encodeNeighbourRequest())) {
      const neighbour = decodeNeighbour(body);
      if (!neighbour.ok || neighbour.value.linkIndex !== index || neighbour.value.state === NUD_NOARP) continue;
      const ack = this.#socket.change(RTM_DELNEIGH, 0, encodeNeighbour(neighbour.value));
      if (ack.errno !== ENOENT) failure ??= failureOf("forget neighbour", ack);
    }
    return failure;
  }

  quieten(links: readonly QuietLink[]): RoutingFailure | undefined {
    if (links.length === 0 && this.#isQuiet) return undefined;
    try {
      // Stays open: closing one of this protocol waits for all processors.
      this.#rules ??= new NetlinkSocket(NETLINK_NETFILTER);
      const failure = failureOf("nf_tables", this.#rules.batch(quietTransaction(links)));
      this.#isQuiet = failure === undefined && links.length === 0;
      return failure;
    } catch (error) {
      if (error instanceof NetlinkError) return { errno: error.errno, message: error.message };
      throw error;
    }
  }

  close(): void {
    this.#socket.close();
    this.#rules?.close();
  }

  #links(): readonly LinkMessage[] {
    return this.#socket.dump(RTM_GETLINK, RTM_NEWLINK, encodeLink({}, [])).flatMap((body) => {
      const link = decodeLink(body);
      return link.ok ? [link.value] : [];
    });
  }

  #link(index: number): LinkMessage | undefined {
    return this.#links().find((link) => link.index === index);
  }

  #groupOf(index: number): number | undefined {
    const link = this.#link(index);
    return link === undefined ? undefined : virtualLinkInfo(link.attributes).group;
  }

  #set(what: string, body: Bytes): RoutingFailure | undefined {
    return failureOf(what, this.#socket.change(RTM_NEWLINK, 0, body));
  }
}

function messageOf({ name, kind, baseIndex, mac, ipvlanType, group }: VirtualLinkSettings): VirtualLinkMessage {
  return {
    name,
    baseIndex,
    group,
    kind: kind === "macvlan" ? { macvlan: { mac } } : { ipvlan: { flags: ipvlanType } },
  };
}

/** There is no message for this; a kernel without IPv6 has no such file, and needs none. */
function setIpv6(name: string, isOn: boolean): RoutingFailure | undefined {
  try {
    writeFileSync(`/proc/sys/net/ipv6/conf/${name}/disable_ipv6`, isOn ? "0" : "1");
    return undefined;
  } catch (error) {
    const { code = "", errno = 0 } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return undefined;
    return { errno: Math.abs(errno), message: `disable_ipv6 of ${name}: ${code}` };
  }
}
