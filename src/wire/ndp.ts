/** Unsolicited neighbour advertisements (RFC 4861 §7.2.6): what gratuitous ARP is for IPv4, for IPv6. */
import type { Bytes } from "../base/bytes.ts";
import { type Decoded, decoded, malformed } from "../base/decoded.ts";
import type { IpAddress } from "../base/ip.ts";
import { addWords, foldChecksum, pseudoHeaderSum, readU16, writeU16 } from "./checksum.ts";
import { ETHERNET_HEADER_BYTES, ETHERTYPE_IPV6, encodeEthernet, type MacAddress } from "./ethernet.ts";

const IPV6_HEADER_BYTES = 40;
const ICMPV6 = 58;
const NEIGHBOR_ADVERTISEMENT = 136;
const ADVERTISEMENT_BYTES = 32;
const TARGET_LINK_LAYER_ADDRESS = 2;
const FLAG_ROUTER = 0x80;
const FLAG_OVERRIDE = 0x20;

/** ff02::1, and the Ethernet group that carries it (RFC 2464 §7). */
const ALL_NODES: IpAddress = Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
const ALL_NODES_MAC: MacAddress = Uint8Array.of(0x33, 0x33, 0, 0, 0, 1);

export interface NeighborAdvert {
  readonly target: IpAddress;
  readonly mac: MacAddress;
  /** The sender forwards packets: the R flag. */
  readonly isRouter: boolean;
}

/** A whole frame from `source` to all nodes: "`target` lives at `mac` now", with the Override flag. */
export function encodeUnsolicitedAdvert(advert: NeighborAdvert, source: IpAddress): Bytes {
  const packet = new Uint8Array(IPV6_HEADER_BYTES + ADVERTISEMENT_BYTES);
  packet[0] = 0x60;
  writeU16(packet, 4, ADVERTISEMENT_BYTES);
  packet[6] = ICMPV6;
  packet[7] = 255;
  packet.set(source, 8);
  packet.set(ALL_NODES, 24);
  const at = IPV6_HEADER_BYTES;
  packet[at] = NEIGHBOR_ADVERTISEMENT;
  packet[at + 4] = FLAG_OVERRIDE | (advert.isRouter ? FLAG_ROUTER : 0);
  packet.set(advert.target, at + 8);
  packet[at + 24] = TARGET_LINK_LAYER_ADDRESS;
  packet[at + 25] = 1; // in units of 8 bytes
  packet.set(advert.mac, at + 26);
  const sum = addWords(pseudoHeaderSum(source, ALL_NODES, ICMPV6, ADVERTISEMENT_BYTES), packet, at);
  writeU16(packet, at + 2, foldChecksum(sum));
  return encodeEthernet(ALL_NODES_MAC, advert.mac, ETHERTYPE_IPV6, packet);
}

/** Reads a whole Ethernet frame that holds a neighbour advertisement with a target link-layer address. */
export function decodeNeighborAdvertFrame(frame: Bytes): Decoded<NeighborAdvert> {
  const at = ETHERNET_HEADER_BYTES + IPV6_HEADER_BYTES;
  if (frame.length < at + ADVERTISEMENT_BYTES) return malformed("shorter than a neighbour advertisement");
  if (readU16(frame, 12) !== ETHERTYPE_IPV6 || (frame[14] as number) >> 4 !== 6) return malformed("not IPv6");
  if (frame[ETHERNET_HEADER_BYTES + 6] !== ICMPV6 || frame[at] !== NEIGHBOR_ADVERTISEMENT)
    return malformed("not a neighbour advertisement");
  if (frame[ETHERNET_HEADER_BYTES + 7] !== 255) return malformed("hop limit is not 255");
  const source = frame.subarray(22, 38);
  const destination = frame.subarray(38, 54);
  const end = at + readU16(frame, ETHERNET_HEADER_BYTES + 4);
  if (end > frame.length || end < at + ADVERTISEMENT_BYTES) return malformed("IPv6 packet is cut");
  if (foldChecksum(addWords(pseudoHeaderSum(source, destination, ICMPV6, end - at), frame, at, end)) !== 0)
    return malformed("wrong ICMPv6 checksum");
  if (frame[at + 24] !== TARGET_LINK_LAYER_ADDRESS || frame[at + 25] !== 1)
    return malformed("no target link-layer address");
  return decoded({
    target: frame.slice(at + 8, at + 24),
    mac: frame.slice(at + 26, at + 32),
    isRouter: ((frame[at + 4] as number) & FLAG_ROUTER) !== 0,
  });
}
