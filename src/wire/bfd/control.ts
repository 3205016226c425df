/**
 * BFD control packets (RFC 5880 §4.1), 24 bytes in a UDP datagram; the authentication section is recognised, not read.
 * keepalived's counterpart: bfd_build_packet, bfd_check_packet.
 *
 *      0                   1                   2                   3
 *     |Vers |  Diag   |Sta|P|F|C|A|D|M|  Detect Mult  |    Length     |
 *     |                       My Discriminator                        |
 *     |                      Your Discriminator                       |
 *     |                    Desired Min TX Interval                    |
 *     |                   Required Min RX Interval                    |
 *     |                 Required Min Echo RX Interval                 |
 */
import type { Bytes } from "../../base/bytes.ts";
import { type Decoded, decoded, malformed } from "../../base/decoded.ts";
import { readU32, writeU32 } from "../checksum.ts";

/** UDP ports: one hop (RFC 5881 §4) and several (RFC 5883 §5). */
export const BFD_PORT = 3784;
export const BFD_MULTIHOP_PORT = 4784;
/** Source ports of a session (RFC 5881 §4). */
export const BFD_SOURCE_PORTS = { min: 49_152, max: 65_535 } as const;
/** Bytes of a packet without authentication, and the least of one with it. */
export const CONTROL_BYTES = 24;
const AUTHENTICATED_BYTES = 26;
const VERSION = 1;

/** In the order of their numbers on the wire. */
export const BFD_STATES = ["adminDown", "down", "init", "up"] as const;
export type BfdState = (typeof BFD_STATES)[number];

/** Diagnostic codes that a session of ours gives (RFC 5880 §4.1). */
export const DIAGNOSTIC = { none: 0, expired: 1, neighborDown: 3, adminDown: 7 } as const;

const DIAGNOSTICS = [
  "No Diagnostic",
  "Control Detection Time Expired",
  "Echo Function Failed",
  "Neighbor Signaled Session Down",
  "Forwarding Plane Reset",
  "Path Down",
  "Concatenated Path Down",
  "Administratively Down",
  "Reverse Concatenated Path Down",
];

/** A diagnostic code in the RFC's words. */
export function printDiagnostic(code: number): string {
  return DIAGNOSTICS[code] ?? "Unknown";
}

/** One control packet. Intervals are microseconds. */
export interface ControlPacket {
  readonly diagnostic: number;
  readonly state: BfdState;
  readonly poll: boolean;
  readonly final: boolean;
  /** The sender's BFD lives in its forwarding plane. */
  readonly controlPlaneIndependent: boolean;
  /** An authentication section follows. */
  readonly authenticated: boolean;
  readonly demand: boolean;
  readonly multiplier: number;
  readonly myDiscriminator: number;
  /** 0: the sender does not know ours yet. */
  readonly yourDiscriminator: number;
  readonly minTxUs: number;
  /** 0: the sender wants no periodic packets. */
  readonly minRxUs: number;
  readonly minEchoRxUs: number;
}

const POLL = 0x20;
const FINAL = 0x10;
const INDEPENDENT = 0x08;
const AUTHENTICATED = 0x04;
const DEMAND = 0x02;
const MULTIPOINT = 0x01;

/** A packet without authentication section. */
export function encodeControl(packet: Omit<ControlPacket, "authenticated">): Bytes {
  const bytes = new Uint8Array(CONTROL_BYTES);
  bytes[0] = (VERSION << 5) | packet.diagnostic;
  bytes[1] =
    (BFD_STATES.indexOf(packet.state) << 6) |
    (packet.poll ? POLL : 0) |
    (packet.final ? FINAL : 0) |
    (packet.controlPlaneIndependent ? INDEPENDENT : 0) |
    (packet.demand ? DEMAND : 0);
  bytes[2] = packet.multiplier;
  bytes[3] = CONTROL_BYTES;
  writeU32(bytes, 4, packet.myDiscriminator);
  writeU32(bytes, 8, packet.yourDiscriminator);
  writeU32(bytes, 12, packet.minTxUs);
  writeU32(bytes, 16, packet.minRxUs);
  writeU32(bytes, 20, packet.minEchoRxUs);
  return bytes;
}

/** Reads a datagram and makes the checks of RFC 5880 §6.8.6 that need no session, in its order; reasons are keepalived's. */
export function decodeControl(bytes: Bytes): Decoded<ControlPacket> {
  if (bytes.length < CONTROL_BYTES) return malformed(`Packet is too small: ${bytes.length} bytes`);
  const first = bytes[0] as number;
  const flags = bytes[1] as number;
  const state = BFD_STATES[flags >> 6] as BfdState;
  const packet: ControlPacket = {
    diagnostic: first & 0x1f,
    state,
    poll: (flags & POLL) !== 0,
    final: (flags & FINAL) !== 0,
    controlPlaneIndependent: (flags & INDEPENDENT) !== 0,
    authenticated: (flags & AUTHENTICATED) !== 0,
    demand: (flags & DEMAND) !== 0,
    multiplier: bytes[2] as number,
    myDiscriminator: readU32(bytes, 4),
    yourDiscriminator: readU32(bytes, 8),
    minTxUs: readU32(bytes, 12),
    minRxUs: readU32(bytes, 16),
    minEchoRxUs: readU32(bytes, 20),
  };
  if (first >> 5 !== VERSION) return malformed(`Packet is of unsupported version: ${first >> 5}`);
  const length = bytes[3] as number;
  if (length < (packet.authenticated ? AUTHENTICATED_BYTES : CONTROL_BYTES) || length > bytes.length)
    return malformed(`Packet size mismatch: length field: ${length} bytes, buffer size: ${bytes.length} bytes`);
  if (packet.multiplier === 0) return malformed("Packet 'detection multiplier' field is zero");
  if ((flags & MULTIPOINT) !== 0) return malformed("Packet has 'multipoint' flag");
  if (packet.myDiscriminator === 0) return malformed("Packet 'my discriminator' field is zero");
  if (packet.yourDiscriminator === 0 && state !== "down" && state !== "adminDown")
    return malformed("Packet 'your discriminator' field is zero and 'state' field is not Down or AdminDown");
  if (packet.poll && packet.final) return malformed("Packet has both poll and final flags set");
  return decoded(packet);
}
