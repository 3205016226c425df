/** Domain names: text with dots ⇄ length-prefixed labels (RFC 1035, 3.1 and 4.1.4). */
import type { Bytes } from "../../base/bytes.ts";
import { latin1, writeLatin1 } from "../../base/bytes.ts";
import { type Decoded, decoded, malformed } from "../../base/decoded.ts";
import type { IpAddress } from "../../base/ip.ts";

/**
 * Characters of the longest name, dots included, and of the longest label. RFC 1035, 2.3.4, counts the octets of the message, two
 * more; nginx knows no bound, and names of 255 characters are asked for and found.
 */
const MAX_NAME = 255;
const MAX_LABEL = 63;
/** Labels and pointers that one name may take to read: more is a loop. */
const MAX_STEPS = 128;

/** The labels of a name without a dot at its end; undefined when a label is empty or too long, or the whole is. */
export function encodeName(name: string): Bytes | undefined {
  if (name.length > MAX_NAME) return undefined;
  const bytes = new Uint8Array(name.length + 2);
  let at = 0;
  for (const label of name.split(".")) {
    if (label.length === 0 || label.length > MAX_LABEL) return undefined;
    bytes[at] = label.length;
    at = writeLatin1(bytes, label, at + 1);
  }
  return bytes;
}

/**
 * The name at `at`, in lower case and without a dot at its end ("" for the root); pointers are followed. Reasons are the
 * sentences that nginx logs.
 */
export function decodeName(bytes: Bytes, at: number): Decoded<string> {
  const labels: string[] = [];
  for (let step = 0; step < MAX_STEPS; step++) {
    if (at >= bytes.length) return malformed("name is out of DNS response");
    const size = bytes[at++] as number;
    if (size === 0) return decoded(labels.join(".").toLowerCase());
    if ((size & 0xc0) === 0) {
      if (at + size >= bytes.length) return malformed("name is out of DNS response");
      labels.push(latin1(bytes, at, at + size));
      at += size;
    } else {
      if ((size & 0xc0) !== 0xc0) return malformed("invalid label type in DNS response");
      if (at >= bytes.length) return malformed("name is out of DNS response");
      at = ((size & 0x3f) << 8) | (bytes[at] as number);
    }
  }
  return malformed("compression pointers loop in DNS response");
}

/** The name whose PTR record names an address (RFC 1035, 3.5; RFC 3596, 2.5). */
export function reverseName(address: IpAddress): string {
  if (address.length === 4) return `${Array.from(address).reverse().join(".")}.in-addr.arpa`;
  const digits = Array.from(address, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${digits.split("").reverse().join(".")}.ip6.arpa`;
}
