/** ARP for IPv4 over Ethernet (RFC 826) and the gratuitous ARP that moves an address to another card (RFC 5227 §3). */
import type { Bytes } from "../base/bytes.ts";
import { type Decoded, decoded, malformed } from "../base/decoded.ts";
import type { IpAddress } from "../base/ip.ts";
import { readU16, writeU16 } from "./checksum.ts";
import {
  BROADCAST_MAC,
  ETHERNET_HEADER_BYTES,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  encodeEthernet,
  type MacAddress,
} from "./ethernet.ts";

const ARP_BYTES = 28;
const HARDWARE_ETHERNET = 1;

export const ARP_REQUEST = 1;
export const ARP_REPLY = 2;

export interface ArpMessage {
  readonly operation: number;
  readonly senderMac: MacAddress;
  readonly senderIp: IpAddress;
  readonly targetMac: MacAddress;
  readonly targetIp: IpAddress;
}

/** The 28 bytes behind the Ethernet header. */
export function encodeArp(message: ArpMessage): Bytes {
  const bytes = new Uint8Array(ARP_BYTES);
  writeU16(bytes, 0, HARDWARE_ETHERNET);
  writeU16(bytes, 2, ETHERTYPE_IPV4);
  bytes[4] = 6;
  bytes[5] = 4;
  writeU16(bytes, 6, message.operation);
  bytes.set(message.senderMac, 8);
  bytes.set(message.senderIp, 14);
  bytes.set(message.targetMac, 18);
  bytes.set(message.targetIp, 24);
  return bytes;
}

/** A whole frame that tells the segment "`ip` lives at `mac` now": a broadcast request, sender = target, as keepalived sends it. */
export function encodeGratuitousArp(mac: MacAddress, ip: IpAddress): Bytes {
  const arp = encodeArp({
    operation: ARP_REQUEST,
    senderMac: mac,
    senderIp: ip,
    targetMac: BROADCAST_MAC,
    targetIp: ip,
  });
  return encodeEthernet(BROADCAST_MAC, mac, ETHERTYPE_ARP, arp);
}

/** Reads a whole Ethernet frame that holds ARP. */
export function decodeArpFrame(frame: Bytes): Decoded<ArpMessage> {
  if (frame.length < ETHERNET_HEADER_BYTES + ARP_BYTES) return malformed("shorter than an ARP frame");
  if (readU16(frame, 12) !== ETHERTYPE_ARP) return malformed("not an ARP frame");
  const at = ETHERNET_HEADER_BYTES;
  if (readU16(frame, at) !== HARDWARE_ETHERNET || frame[at + 4] !== 6) return malformed("ARP not for Ethernet");
  if (readU16(frame, at + 2) !== ETHERTYPE_IPV4 || frame[at + 5] !== 4) return malformed("ARP not for IPv4");
  return decoded({
    operation: readU16(frame, at + 6),
    senderMac: frame.slice(at + 8, at + 14),
    senderIp: frame.slice(at + 14, at + 18),
    targetMac: frame.slice(at + 18, at + 24),
    targetIp: frame.slice(at + 24, at + 28),
  });
}

/** True for an announcement: sender and target are the same address. */
export function isGratuitous(message: ArpMessage): boolean {
  return message.senderIp.every((byte, i) => byte === message.targetIp[i]);
}
