/**
 * Netlink messages: the 16-byte header and the framing of several in one datagram (RFC 3549, linux/netlink.h).
 * Everything is in the byte order of the host, because the kernel is the only peer.
 */
import type { Bytes } from "../../base/bytes.ts";
import { type Decoded, decoded, malformed } from "../../base/decoded.ts";

/** True on a little-endian machine: the `littleEndian` argument of every DataView access to netlink. */
export const HOST_LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

export const NLMSG_NOOP = 1;
export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;
export const NLMSG_OVERRUN = 4;

export const NLM_F_REQUEST = 0x1;
export const NLM_F_MULTI = 0x2;
export const NLM_F_ACK = 0x4;
/** In a dump: the kernel's list changed meanwhile, so the answer may be inconsistent and has to be asked for again. */
export const NLM_F_DUMP_INTR = 0x10;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
export const NLM_F_DUMP = 0x300;

export const HEADER_BYTES = 16;

export interface NetlinkMessage {
  /** `NLMSG_*` or a type of the family, `RTM_NEWLINK`. */
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** Port of the socket that asked; 0 in a notification. */
  readonly port: number;
  /** What follows the header, without padding. A view of what was parsed. */
  readonly body: Bytes;
}

/** Rounds up to netlink's alignment of 4 bytes. */
export function align4(length: number): number {
  return (length + 3) & ~3;
}

/** A view for numbers in `bytes`, wherever these lie in their buffer. */
export function viewOf(bytes: Bytes): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** One message with its header. The kernel fills the port in. */
export function encodeMessage(message: Omit<NetlinkMessage, "port">): Bytes {
  const whole = new Uint8Array(HEADER_BYTES + message.body.length);
  const view = viewOf(whole);
  view.setUint32(0, whole.length, HOST_LITTLE_ENDIAN);
  view.setUint16(4, message.type, HOST_LITTLE_ENDIAN);
  view.setUint16(6, message.flags, HOST_LITTLE_ENDIAN);
  view.setUint32(8, message.sequence, HOST_LITTLE_ENDIAN);
  whole.set(message.body, HEADER_BYTES);
  return whole;
}

/** The messages of one datagram. Malformed when a length is below the header's or beyond the datagram. */
export function decodeMessages(datagram: Bytes): Decoded<readonly NetlinkMessage[]> {
  const messages: NetlinkMessage[] = [];
  const view = viewOf(datagram);
  let offset = 0;
  while (offset < datagram.length) {
    if (datagram.length - offset < HEADER_BYTES) return malformed("netlink header cut short");
    const length = view.getUint32(offset, HOST_LITTLE_ENDIAN);
    if (length < HEADER_BYTES || length > datagram.length - offset) return malformed("netlink message length is wrong");
    messages.push({
      type: view.getUint16(offset + 4, HOST_LITTLE_ENDIAN),
      flags: view.getUint16(offset + 6, HOST_LITTLE_ENDIAN),
      sequence: view.getUint32(offset + 8, HOST_LITTLE_ENDIAN),
      port: view.getUint32(offset + 12, HOST_LITTLE_ENDIAN),
      body: datagram.subarray(offset + HEADER_BYTES, offset + length),
    });
    offset += align4(length);
  }
  return decoded(messages);
}
