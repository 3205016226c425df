/** IPv4 headers (RFC 791), as raw sockets give and take them. */
import { assert } from "../base/assert.ts";
import type { Bytes } from "../base/bytes.ts";
import { type Decoded, decoded, malformed } from "../base/decoded.ts";
import type { IpAddress } from "../base/ip.ts";
import { addWords, foldChecksum, readU16, writeU16 } from "./checksum.ts";

/** Bytes of a header without options, the only kind that is sent here. */
export const IPV4_HEADER_BYTES = 20;

/** The fields of a packet that VRRP looks at; `payload` is a view into the packet. */
export interface Ipv4Packet {
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly protocol: number;
  readonly ttl: number;
  readonly tos: number;
  readonly id: number;
  readonly headerBytes: number;
  /** The header's own word about the length of the packet; link-layer padding is not part of it. */
  readonly totalBytes: number;
  readonly payload: Bytes;
}

export interface Ipv4Fields {
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly protocol: number;
  readonly ttl: number;
  readonly tos: number;
  readonly id: number;
}

/** A whole packet: header with checksum, no options, fragmentation allowed (DF off). */
export function encodeIpv4(fields: Ipv4Fields, payload: Bytes): Bytes {
  const totalBytes = IPV4_HEADER_BYTES + payload.length;
  assert(totalBytes <= 0xffff, "an IPv4 packet fits in 64 KiB");
  const packet = new Uint8Array(totalBytes);
  packet[0] = 0x45;
  packet[1] = fields.tos;
  writeU16(packet, 2, totalBytes);
  writeU16(packet, 4, fields.id);
  packet[8] = fields.ttl;
  packet[9] = fields.protocol;
  packet.set(fields.source, 12);
  packet.set(fields.destination, 16);
  writeU16(packet, 10, foldChecksum(addWords(0, packet, 0, IPV4_HEADER_BYTES)));
  packet.set(payload, IPV4_HEADER_BYTES);
  return packet;
}

/** Reads a packet. The header checksum is not verified: the kernel has done so before a raw socket sees the packet. */
export function decodeIpv4(packet: Bytes): Decoded<Ipv4Packet> {
  if (packet.length < IPV4_HEADER_BYTES) return malformed("shorter than an IPv4 header");
  const first = packet[0] as number;
  if (first >> 4 !== 4) return malformed("not IP version 4");
  const headerBytes = (first & 0x0f) * 4;
  if (headerBytes < IPV4_HEADER_BYTES) return malformed("IPv4 header length below 20");
  const totalBytes = readU16(packet, 2);
  if (totalBytes < headerBytes) return malformed("IPv4 total length below the header length");
  if (totalBytes > packet.length) return malformed("IPv4 packet is cut");
  return decoded({
    source: packet.slice(12, 16),
    destination: packet.slice(16, 20),
    protocol: packet[9] as number,
    ttl: packet[8] as number,
    tos: packet[1] as number,
    id: readU16(packet, 4),
    headerBytes,
    totalBytes,
    payload: packet.subarray(headerBytes, totalBytes),
  });
}
