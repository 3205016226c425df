/** A capture file of the switch: VRRP, ARP and neighbour discovery, for Wireshark and tcpdump. */
import { createWriteStream } from "node:fs";
import { captureAnnouncements } from "../os/packet-capture.ts";
import { encodePcapHeader, encodePcapRecord } from "../wire/pcap.ts";

/** Captures until closed. Throws a system error where the kernel has no AF_PACKET. */
export function captureToFile(linkIndex: number, path: string): { close(): void } {
  const file = createWriteStream(path);
  file.write(encodePcapHeader());
  const watch = captureAnnouncements(linkIndex, (frame) => {
    file.write(encodePcapRecord(performance.timeOrigin + performance.now(), frame));
  });
  return {
    close: () => {
      watch.close();
      file.end();
    },
  };
}
