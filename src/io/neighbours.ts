/** What neighbours on a link say about who has which address: ARP and neighbour advertisements, as they come. Implementation: os/packet-capture.ts. */
import type { Bytes } from "../base/bytes.ts";

export interface Neighbours {
  /** Calls back with each Ethernet frame of either kind, until closed. Throws a system error. */
  watch(linkIndex: number, onFrame: (frame: Bytes) => void): { close(): void };
}

/** Where nobody says anything. */
export const NO_NEIGHBOURS: Neighbours = { watch: () => ({ close: () => {} }) };
