/** Where the fields of packets are that nf_tables is asked to look at: RFC 791, 8200, 9293, 768, 792, 4861, 826. */
import type { PacketField } from "./nftables.ts";

/** Fields that IPv4 and IPv6 have at different places. */
type ByFamily = Readonly<Record<"ip" | "ip6", PacketField>>;

export const IP_SOURCE: ByFamily = {
  ip: { base: "network", offset: 12, length: 4 },
  ip6: { base: "network", offset: 8, length: 16 },
};
export const IP_DESTINATION: ByFamily = {
  ip: { base: "network", offset: 16, length: 4 },
  ip6: { base: "network", offset: 24, length: 16 },
};

/** TTL, hop limit. */
export const IP_HOPS_LEFT: ByFamily = {
  ip: { base: "network", offset: 8, length: 1 },
  ip6: { base: "network", offset: 7, length: 1 },
};
/** Where the checksum of an IPv4 header is. */
export const IPV4_CHECKSUM_OFFSET = 10;

/** Ports of TCP, UDP and SCTP. */
export const SOURCE_PORT: PacketField = { base: "transport", offset: 0, length: 2 };
export const DESTINATION_PORT: PacketField = { base: "transport", offset: 2, length: 2 };

/** The flags of TCP, and two sets of them. */
export const TCP_FLAGS: PacketField = { base: "transport", offset: 13, length: 1 };
export const SYN = 0x02;
export const SYN_ACK = 0x12;

/** The type of an ICMP message, of either family. */
export const ICMP_TYPE: PacketField = { base: "transport", offset: 0, length: 1 };

/** Whom an ICMPv6 message about a neighbour is about (RFC 4861). */
export const NEIGHBOUR_TARGET: PacketField = { base: "transport", offset: 8, length: 16 };

/** Protocol addresses of ARP for IPv4 on Ethernet. */
export const ARP_SENDER: PacketField = { base: "network", offset: 14, length: 4 };
export const ARP_TARGET: PacketField = { base: "network", offset: 24, length: 4 };
