/** ICMP and ICMPv6 echo (RFC 792, RFC 4443 §4): the question of ping and its answer. */
import type { Bytes } from "../base/bytes.ts";
import { type Decoded, decoded, malformed } from "../base/decoded.ts";
import { addWords, foldChecksum } from "./checksum.ts";

const HEADER_BYTES = 8;
const ECHO = { 4: 8, 6: 128 } as const;
const ECHO_REPLY = { 4: 0, 6: 129 } as const;

/** What tells one echo from another. */
export interface EchoIds {
  readonly id: number;
  readonly sequence: number;
}

/** An echo request. The checksum of ICMPv6 is the kernel's business, because it covers addresses. */
export function encodeEcho(family: 4 | 6, { id, sequence }: EchoIds, payload: Bytes): Bytes {
  const whole = new Uint8Array(HEADER_BYTES + payload.length);
  const view = new DataView(whole.buffer);
  view.setUint8(0, ECHO[family]);
  view.setUint16(4, id);
  view.setUint16(6, sequence);
  whole.set(payload, HEADER_BYTES);
  if (family === 4) view.setUint16(2, foldChecksum(addWords(0, whole)));
  return whole;
}

/** Reads an echo reply; a raw socket of IPv4 gives the IP header as well. Anything else is malformed. */
export function decodeEchoReply(family: 4 | 6, bytes: Bytes, hasIpHeader: boolean): Decoded<EchoIds> {
  const start = hasIpHeader ? ((bytes[0] ?? 0) & 15) * 4 : 0;
  if (bytes.length < start + HEADER_BYTES) return malformed("ICMP message cut short");
  const view = new DataView(bytes.buffer, bytes.byteOffset + start);
  const type = view.getUint8(0);
  if (type !== ECHO_REPLY[family]) return malformed(`ICMP message of type ${type}`);
  return decoded({ id: view.getUint16(4), sequence: view.getUint16(6) });
}
