/** The kernel's acknowledgement of a request: an errno, and with NETLINK_EXT_ACK its reason in words (linux/netlink.h, struct nlmsgerr). */
import type { Bytes } from "../../base/bytes.ts";
import { type Decoded, decoded, malformed } from "../../base/decoded.ts";
import { decodeAttributes, textIn, u32In } from "./attributes.ts";
import { align4, HEADER_BYTES, HOST_LITTLE_ENDIAN, viewOf } from "./message.ts";

/** The rejected request is echoed without its body. */
const NLM_F_CAPPED = 0x100;
/** Attributes follow the echoed request. */
export const NLM_F_ACK_TLVS = 0x200;
const NLMSGERR_ATTR_MSG = 1;
const NLMSGERR_ATTR_OFFS = 2;

export interface NetlinkAck {
  /** 0 for success, otherwise positive, as in errno.h. */
  readonly errno: number;
  /** The kernel's explanation; undefined when it gives none. */
  readonly reason: string | undefined;
  /** Offset into the rejected request of the attribute that the kernel did not like. */
  readonly offsetBytes: number | undefined;
}

/** Reads the body of an `NLMSG_ERROR` message; `flags` are those of its header. */
export function decodeAck(body: Bytes, flags: number): Decoded<NetlinkAck> {
  if (body.length < 4 + HEADER_BYTES) return malformed("netlink acknowledgement cut short");
  const view = viewOf(body);
  const errno = -view.getInt32(0, HOST_LITTLE_ENDIAN);
  if ((flags & NLM_F_ACK_TLVS) === 0) return decoded({ errno, reason: undefined, offsetBytes: undefined });
  const echoed = (flags & NLM_F_CAPPED) !== 0 ? HEADER_BYTES : view.getUint32(4, HOST_LITTLE_ENDIAN);
  const start = 4 + align4(echoed);
  if (echoed < HEADER_BYTES || start > body.length) return malformed("netlink acknowledgement echoes a wrong length");
  const attributes = decodeAttributes(body.subarray(start));
  if (!attributes.ok) return attributes;
  return decoded({
    errno,
    reason: textIn(attributes.value, NLMSGERR_ATTR_MSG),
    offsetBytes: u32In(attributes.value, NLMSGERR_ATTR_OFFS),
  });
}
