/** Who has this address? ARP requests and probes (RFC 826, RFC 5227 §2.1.1), neighbour solicitations (RFC 4861 §4.3, RFC 4862 §5.4.2). */
import { type Bytes, equalBytes } from "../base/bytes.ts";
import type { IpAddress } from "../base/ip.ts";
import { ARP_REPLY, ARP_REQUEST, decodeArpFrame, encodeArp, isGratuitous } from "./arp.ts";
import { addWords, foldChecksum, pseudoHeaderSum, writeU16 } from "./checksum.ts";
import { BROADCAST_MAC, ETHERTYPE_ARP, ETHERTYPE_IPV6, encodeEthernet, type MacAddress } from "./ethernet.ts";
import { decodeNeighborAdvertFrame } from "./ndp.ts";

const IPV6_HEADER_BYTES = 40;
const ICMPV6 = 58;
const NEIGHBOR_SOLICITATION = 135;
const SOURCE_LINK_LAYER_ADDRESS = 1;
const NOBODY_4: IpAddress = new Uint8Array(4);
const NOBODY_6: IpAddress = new Uint8Array(16);
const NO_MAC: MacAddress = new Uint8Array(6);

/** A whole frame. `source` undefined: a probe, which nobody learns anything from. */
export function encodeQuestion(mac: MacAddress, source: IpAddress | undefined, target: IpAddress): Bytes {
  if (target.length === 16) return encodeSolicitation(mac, source ?? NOBODY_6, target);
  const arp = encodeArp({
    operation: ARP_REQUEST,
    senderMac: mac,
    senderIp: source ?? NOBODY_4,
    targetMac: NO_MAC,
    targetIp: target,
  });
  return encodeEthernet(BROADCAST_MAC, mac, ETHERTYPE_ARP, arp);
}

function encodeSolicitation(mac: MacAddress, source: IpAddress, target: IpAddress): Bytes {
  const isProbe = equalBytes(source, NOBODY_6);
  const messageBytes = isProbe ? 24 : 32;
  const group = Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, ...target.subarray(13));
  const packet = new Uint8Array(IPV6_HEADER_BYTES + messageBytes);
  packet[0] = 0x60;
  writeU16(packet, 4, messageBytes);
  packet[6] = ICMPV6;
  packet[7] = 255;
  packet.set(source, 8);
  packet.set(group, 24);
  const at = IPV6_HEADER_BYTES;
  packet[at] = NEIGHBOR_SOLICITATION;
  packet.set(target, at + 8);
  if (!isProbe) {
    packet[at + 24] = SOURCE_LINK_LAYER_ADDRESS;
    packet[at + 25] = 1; // in units of 8 bytes
    packet.set(mac, at + 26);
  }
  const sum = addWords(pseudoHeaderSum(source, group, ICMPV6, messageBytes), packet, at);
  writeU16(packet, at + 2, foldChecksum(sum));
  const groupMac = Uint8Array.of(0x33, 0x33, ...group.subarray(12));
  return encodeEthernet(groupMac, mac, ETHERTYPE_IPV6, packet);
}

/** Somebody has an address. */
export interface Claim {
  readonly ip: IpAddress;
  readonly mac: MacAddress;
  /** It may be an answer to a question; gratuitous ARP never is, of a neighbour advertisement nobody can tell. */
  readonly mayAnswer: boolean;
}

/** Who says in this frame that it has which address; undefined: nobody. */
export function decodeClaim(frame: Bytes): Claim | undefined {
  const arp = decodeArpFrame(frame);
  if (arp.ok) {
    const { senderIp: ip, senderMac: mac, operation } = arp.value;
    if (equalBytes(ip, NOBODY_4)) return undefined;
    return { ip, mac, mayAnswer: operation === ARP_REPLY && !isGratuitous(arp.value) };
  }
  const advert = decodeNeighborAdvertFrame(frame);
  return advert.ok ? { ip: advert.value.target, mac: advert.value.mac, mayAnswer: true } : undefined;
}
