/** Ethernet II frames and hardware addresses. */
import type { Bytes } from "../base/bytes.ts";
import { writeU16 } from "./checksum.ts";

/** Six bytes. */
export type MacAddress = Bytes;

export const ETHERNET_HEADER_BYTES = 14;
export const ETHERTYPE_ARP = 0x0806;
export const ETHERTYPE_IPV4 = 0x0800;
export const ETHERTYPE_IPV6 = 0x86dd;
export const BROADCAST_MAC: MacAddress = new Uint8Array(6).fill(0xff);

/** A frame without preamble and checksum; the network card pads it to 60 bytes. */
export function encodeEthernet(destination: MacAddress, source: MacAddress, ethertype: number, payload: Bytes): Bytes {
  const frame = new Uint8Array(ETHERNET_HEADER_BYTES + payload.length);
  frame.set(destination, 0);
  frame.set(source, 6);
  writeU16(frame, 12, ethertype);
  frame.set(payload, ETHERNET_HEADER_BYTES);
  return frame;
}

/** `aa:bb:cc:dd:ee:ff` as six bytes; undefined when it is anything else. */
export function parseMac(text: string): MacAddress | undefined {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) return undefined;
  return Uint8Array.from(text.split(":"), (part) => Number.parseInt(part, 16));
}

/** Lower case, colons between. */
export function printMac(mac: MacAddress): string {
  return Array.from(mac, (byte) => byte.toString(16).padStart(2, "0")).join(":");
}
