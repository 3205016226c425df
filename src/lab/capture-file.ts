/** What passes the switch: a capture file of VRRP, ARP and neighbour discovery, and the adverts with their times. */
import { createWriteStream } from "node:fs";
import { equalBytes } from "../base/bytes.ts";
import { captureAnnouncements } from "../os/packet-capture.ts";
import { ETHERTYPE_IPV4 } from "../wire/ethernet.ts";
import { encodePcapHeader, encodePcapRecord } from "../wire/pcap.ts";

/** An advert that has passed the switch. */
export interface SeenAdvert {
  /** Hardware address of its sender. */
  readonly mac: Uint8Array;
  readonly priority: number;
  /** When the kernel has seen it: milliseconds since the epoch, with fractions. */
  readonly wallMs: number;
}

const VRRP_PROTOCOL = 112;
const IPV4_AT = 14;
const VRRP_IN_IPV6_AT = 54;

/** A capture that runs until it is closed. Throws a system error where the kernel has no AF_PACKET. */
export class SwitchCapture {
  readonly #adverts: SeenAdvert[] = [];
  readonly #file: NodeJS.WritableStream;
  readonly #watch: { close(): void };

  constructor(linkIndex: number, path: string) {
    this.#file = createWriteStream(path);
    this.#file.write(encodePcapHeader());
    this.#watch = captureAnnouncements(linkIndex, (frame, wallMs) => {
      this.#file.write(encodePcapRecord(wallMs, frame));
      const at = advertAt(frame);
      if (at !== undefined)
        this.#adverts.push({ mac: frame.subarray(6, 12), priority: frame[at + 2] as number, wallMs });
    });
  }

  /** Adverts of a sender between two instants. */
  advertsOf(mac: Uint8Array, fromWallMs: number, toWallMs: number): readonly SeenAdvert[] {
    return this.#adverts.filter(
      (advert) => advert.wallMs >= fromWallMs && advert.wallMs <= toWallMs && equalBytes(advert.mac, mac),
    );
  }

  close(): void {
    this.#watch.close();
    this.#file.end();
  }
}

/** Where the VRRP message of a frame begins; undefined when it holds none. */
function advertAt(frame: Uint8Array): number | undefined {
  const ethertype = ((frame[12] as number) << 8) | (frame[13] as number);
  if (ethertype !== ETHERTYPE_IPV4) return frame[20] === VRRP_PROTOCOL ? VRRP_IN_IPV6_AT : undefined;
  if (frame[IPV4_AT + 9] !== VRRP_PROTOCOL) return undefined;
  return IPV4_AT + 4 * ((frame[IPV4_AT] as number) & 0x0f);
}
