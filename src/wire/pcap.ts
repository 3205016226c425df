/** Capture files of libpcap (draft-ietf-opsawg-pcap): a header, then each frame with its time. Read by tcpdump and Wireshark. */
import type { Bytes } from "../base/bytes.ts";

const MAGIC_MICROSECONDS = 0xa1b2c3d4;
/** What records hold: Ethernet frames, or IP packets of either version without anything in front. */
const LINK_TYPES = { ethernet: 1, ip: 101 } as const;
/** More than any frame. */
const SNAPSHOT_BYTES = 262144;

/** The 24 bytes in front of the first record. */
export function encodePcapHeader(linkType: keyof typeof LINK_TYPES = "ethernet"): Bytes {
  const bytes = new Uint8Array(24);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC_MICROSECONDS);
  view.setUint16(4, 2);
  view.setUint16(6, 4);
  view.setUint32(16, SNAPSHOT_BYTES);
  view.setUint32(20, LINK_TYPES[linkType]);
  return bytes;
}

/** One frame or packet, captured at `wallMs` milliseconds since the epoch. */
export function encodePcapRecord(wallMs: number, frame: Bytes): Bytes {
  const bytes = new Uint8Array(16 + frame.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, Math.floor(wallMs / 1000));
  view.setUint32(4, Math.floor((wallMs % 1000) * 1000));
  view.setUint32(8, frame.length);
  view.setUint32(12, frame.length);
  bytes.set(frame, 16);
  return bytes;
}
