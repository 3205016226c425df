/**
 * Detours and silences in the kernel: three tables of nf_tables that belong to Tandem alone and are written whole, so that a
 * state is never half there and whatever a killed predecessor has left goes with the first write. No sysctl is touched.
 *
 *     table ip|ip6 tandem_handover, prerouting, for each detour:
 *         a packet to the address without hops left → ours
 *         TCP to the address at a port, or anything with a mark, that a virtual server has → ours
 *         TCP to the address that is no first packet of a connection, and
 *             a connection or a listener by name is there for it → ours
 *             only a listener without address is there for it    → a copy to the other node, dropped here
 *             any other socket is there for it                   → ours
 *             no socket at all                                   → a copy to the other node, dropped here
 *         ICMP errors about packets from the address             → a copy to the other node, and ours
 *     table arp tandem_handover, for each silence:
 *         a question or answer about the address that comes in → dropped
 *         what goes out in its name                            → goes out in the name of the node's own address
 *
 * `socket` finds sockets of every state; `wildcard` ends the rule for those that are not whole (handshakes, TIME_WAIT), and is true of
 * listeners alone, because a connection always has an address.
 *
 * While an address moves back, each node may have a detour to the other one. A copy has few hops left, and `dup` takes one of them, so
 * that a packet nobody knows does not go to and fro; it may still go along a chain of nodes.
 */

import type { Bytes } from "../base/bytes.ts";
import type { IpAddress } from "../base/ip.ts";
import {
  type Detour,
  type DetourState,
  type Detours,
  NO_DETOURS,
  NOTHING_FORWARDED,
  type Silence,
} from "../io/detour.ts";
import type { RoutingFailure } from "../io/routing.ts";
import { NLM_F_ACK, NLM_F_REQUEST } from "../wire/netlink/message.ts";
import {
  addBaseChain,
  addTable,
  appendRule,
  type BatchMessage,
  deleteTable,
  drop,
  duplicate,
  type Expression,
  type Family,
  HOOK_ARP_IN,
  HOOK_ARP_OUT,
  HOOK_PREROUTING,
  hostU32,
  isAtMost,
  isEqual,
  isGreater,
  isNotEqual,
  keepBits,
  leaveChain,
  loadField,
  loadMark,
  loadProtocol,
  loadSocketTransparent,
  loadSocketWildcard,
  NETLINK_NETFILTER,
  type PacketField,
  REGISTER_1,
  REGISTER_2,
  setRegister,
  transaction,
  writeField,
} from "../wire/netlink/nftables.ts";
import {
  ARP_SENDER,
  ARP_TARGET,
  DESTINATION_PORT,
  ICMP_TYPE,
  IP_DESTINATION,
  IP_HOPS_LEFT,
  IPV4_CHECKSUM_OFFSET,
  SYN,
  SYN_ACK,
  TCP_FLAGS,
} from "../wire/netlink/nftables-fields.ts";
import {
  encodeTcpDestroy,
  encodeTcpRequest,
  NETLINK_SOCK_DIAG,
  SOCK_DESTROY,
  SOCK_DIAG_BY_FAMILY,
  type TcpSockets,
} from "../wire/netlink/socket-diag.ts";
import { ENOENT } from "./errno.ts";
import { failureOf, NetlinkError, NetlinkSocket } from "./netlink-socket.ts";

const TABLE = "tandem_handover";
/**
 * Behind raw tables, connection tracking, whoever sets marks (NF_IP_PRI_MANGLE) and direct routing of virtual servers
 * (os/nft-services.ts), before address translation.
 */
const PRIORITY_DETOUR = -148;
const PRIORITY_FILTER = 0;

/** Hops left of a copy. */
const MOST_HOPS = 8;

/** Ended connections that one hand-over has the kernel forget: some 30 ms. */
const MOST_FORGOTTEN = 16_384;
/** The kernel's answers to so many fit into the socket. */
const ORDERS_AT_ONCE = 256;

const TCP = 6;
const ICMP = 1;
const ICMPV6 = 58;
const ICMP_UNREACHABLE = 3;
/** Types 1 … 4 are errors: unreachable, too big, time exceeded, parameter problem. */
const ICMPV6_LAST_ERROR = 4;

function familyOf(address: IpAddress): "ip" | "ip6" {
  return address.length === 4 ? "ip" : "ip6";
}

function fieldIs(field: PacketField, bytes: Bytes): readonly Expression[] {
  return [loadField(REGISTER_1, field), isEqual(REGISTER_1, bytes)];
}

function protocolIs(number: number): readonly Expression[] {
  return [loadProtocol(REGISTER_1), isEqual(REGISTER_1, Uint8Array.of(number))];
}

/** Port 0 is any. */
function portIs(port: number): readonly Expression[] {
  return port === 0 ? [] : fieldIs(DESTINATION_PORT, Uint8Array.of(port >> 8, port & 0xff));
}

function detourRules(detour: Detour): readonly (readonly Expression[])[] {
  const { address, to, linkIndex, forwarded } = detour;
  const family = familyOf(address);
  const toAddress = fieldIs(IP_DESTINATION[family], address);
  const flags = [
    loadField(REGISTER_1, TCP_FLAGS),
    keepBits(REGISTER_1, Uint8Array.of(SYN_ACK)),
    isNotEqual(REGISTER_1, Uint8Array.of(SYN)),
  ];
  const ours = [
    ...forwarded.marks.map((mark) => [...toAddress, loadMark(REGISTER_1), isEqual(REGISTER_1, hostU32(mark))]),
    ...forwarded.ports.map((port) => [...toAddress, ...protocolIs(TCP), ...portIs(port)]),
  ];
  const established = [...toAddress, ...protocolIs(TCP), ...flags];
  const hops = IP_HOPS_LEFT[family];
  const limitHops = [
    loadField(REGISTER_1, hops),
    isGreater(REGISTER_1, Uint8Array.of(MOST_HOPS)),
    setRegister(REGISTER_1, Uint8Array.of(MOST_HOPS)),
    writeField(REGISTER_1, hops, family === "ip" ? IPV4_CHECKSUM_OFFSET : undefined),
  ];
  const copy = [
    setRegister(REGISTER_1, to),
    setRegister(REGISTER_2, hostU32(linkIndex)),
    duplicate(REGISTER_1, REGISTER_2),
  ];
  const isError =
    family === "ip"
      ? [...protocolIs(ICMP), ...fieldIs(ICMP_TYPE, Uint8Array.of(ICMP_UNREACHABLE))]
      : [
          ...protocolIs(ICMPV6),
          loadField(REGISTER_1, ICMP_TYPE),
          isAtMost(REGISTER_1, Uint8Array.of(ICMPV6_LAST_ERROR)),
        ];
  const one = Uint8Array.of(1);
  const isWildcard = (value: number): Expression[] => [
    loadSocketWildcard(REGISTER_1),
    isEqual(REGISTER_1, Uint8Array.of(value)),
  ];
  return [
    [...toAddress, loadField(REGISTER_1, hops), isAtMost(REGISTER_1, one), leaveChain()],
    ...ours.map((rule) => [...rule, leaveChain()]),
    [...established, ...isWildcard(0), leaveChain()],
    [...established, ...limitHops],
    [...established, ...isWildcard(1), ...copy, drop()],
    [...established, loadSocketTransparent(REGISTER_1), isAtMost(REGISTER_1, one), leaveChain()],
    [...established, ...copy, drop()],
    [...toAddress, ...isError, ...limitHops],
    [...toAddress, ...isError, ...copy],
  ];
}

function detourTable(family: "ip" | "ip6", detours: readonly Detour[]): readonly BatchMessage[] {
  const own = detours.filter(({ address }) => familyOf(address) === family);
  if (own.length === 0) return [];
  return [
    addTable(family, TABLE),
    addBaseChain(family, TABLE, "detour", { type: "filter", hook: HOOK_PREROUTING, priority: PRIORITY_DETOUR }),
    ...own.flatMap(detourRules).map((rule) => appendRule(family, TABLE, "detour", rule)),
  ];
}

function silenceTable(silences: readonly Silence[]): readonly BatchMessage[] {
  if (silences.length === 0) return [];
  const hear = (address: IpAddress): Expression[] => [...fieldIs(ARP_TARGET, address), drop()];
  const say = ({ address, speakAs }: Silence): Expression[] => [
    ...fieldIs(ARP_SENDER, address),
    setRegister(REGISTER_1, speakAs),
    writeField(REGISTER_1, ARP_SENDER),
  ];
  return [
    addTable("arp", TABLE),
    addBaseChain("arp", TABLE, "hear", { type: "filter", hook: HOOK_ARP_IN, priority: PRIORITY_FILTER }),
    addBaseChain("arp", TABLE, "say", { type: "filter", hook: HOOK_ARP_OUT, priority: PRIORITY_FILTER }),
    ...silences.map(({ address }) => appendRule("arp", TABLE, "hear", hear(address))),
    ...silences.map((silence) => appendRule("arp", TABLE, "say", say(silence))),
  ];
}

/** The messages that leave this state, and nothing else, in the kernel. */
export function stateTransaction({ detours, silences }: DetourState): readonly BatchMessage[] {
  // Made and deleted first, so that deleting never fails.
  const clear = (family: Family): BatchMessage[] => [addTable(family, TABLE), deleteTable(family, TABLE)];
  return transaction([
    ...clear("ip"),
    ...clear("ip6"),
    ...clear("arp"),
    ...detourTable("ip", detours),
    ...detourTable("ip6", detours),
    ...silenceTable(silences),
  ]);
}

export class KernelDetours implements Detours {
  /** What this object has written last was nothing; another process may have written since. */
  #isEmpty = false;
  /** Stays open: closing one of this protocol waits for all processors, some 20 ms; a transaction takes one. */
  #socket: NetlinkSocket | undefined;

  /** Tries the real rules on addresses that nobody has (RFC 5737, RFC 3849), and takes them away again. */
  supports(): { readonly ipv4: boolean; readonly ipv6: boolean } {
    const v4 = Uint8Array.of(192, 0, 2, 1);
    const v6 = Uint8Array.of(0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
    const lo = 1;
    const attempt = (state: DetourState): boolean => this.set(state) === undefined;
    const ipv4 = attempt({
      detours: [{ address: v4, to: v4, linkIndex: lo, forwarded: NOTHING_FORWARDED }],
      silences: [{ address: v4, speakAs: v4 }],
    });
    const ipv6 = attempt({
      detours: [{ address: v6, to: v6, linkIndex: lo, forwarded: NOTHING_FORWARDED }],
      silences: [],
    });
    this.set(NO_DETOURS);
    return { ipv4, ipv6 };
  }

  set(state: DetourState): RoutingFailure | undefined {
    const isEmpty = state.detours.length === 0 && state.silences.length === 0;
    if (isEmpty && this.#isEmpty) return undefined;
    try {
      this.#socket ??= new NetlinkSocket(NETLINK_NETFILTER);
      const failure = failureOf("nf_tables", this.#socket.batch(stateTransaction(state)));
      if (failure === undefined) this.#isEmpty = isEmpty;
      return failure;
    } catch (error) {
      if (error instanceof NetlinkError) return { errno: error.errno, message: error.message };
      throw error;
    }
  }

  clear(): RoutingFailure | undefined {
    this.#isEmpty = false;
    return this.set(NO_DETOURS);
  }

  close(): void {
    this.#socket?.close();
    this.#socket = undefined;
  }

  connections(addresses: readonly IpAddress[], atMost: number): number {
    return countAll(addresses, "connections", atMost);
  }

  forgetEnded(addresses: readonly IpAddress[]): RoutingFailure | undefined {
    const orders: BatchMessage[] = [];
    countAll(addresses, "ended", MOST_FORGOTTEN, (answer) => {
      const body = encodeTcpDestroy(answer);
      if (body !== undefined) orders.push({ type: SOCK_DESTROY, flags: NLM_F_REQUEST | NLM_F_ACK, body });
    });
    const socket = new NetlinkSocket(NETLINK_SOCK_DIAG);
    try {
      for (let i = 0; i < orders.length; i += ORDERS_AT_ONCE) {
        const ack = socket.batch(orders.slice(i, i + ORDERS_AT_ONCE));
        // Its minute was over meanwhile.
        if (ack.errno !== 0 && ack.errno !== ENOENT) return failureOf("sock_diag", ack);
      }
      return undefined;
    } finally {
      socket.close();
    }
  }

  listeners(addresses: readonly IpAddress[]): readonly IpAddress[] {
    return addresses.filter((address) => countTcp(address.length === 4 ? 4 : 6, address, "listeners", 1) > 0);
  }
}

/** Of all families that may have a socket with one of the addresses. */
function countAll(
  addresses: readonly IpAddress[],
  which: TcpSockets,
  atMost: number,
  see?: (answer: Bytes) => void,
): number {
  let found = 0;
  for (const address of addresses)
    for (const family of address.length === 4 ? ([4, 6] as const) : ([6] as const))
      found += found < atMost ? countTcp(family, address, which, atMost - found, see) : 0;
  return found;
}

/** On a socket of its own, because a list that is not read to its end leaves it unusable. */
function countTcp(
  family: 4 | 6,
  address: IpAddress,
  which: TcpSockets,
  atMost: number,
  see?: (answer: Bytes) => void,
): number {
  const socket = new NetlinkSocket(NETLINK_SOCK_DIAG);
  const request = encodeTcpRequest(family, address, which);
  try {
    return socket.count(SOCK_DIAG_BY_FAMILY, SOCK_DIAG_BY_FAMILY, request, atMost, see);
  } finally {
    socket.close();
  }
}
