/** A network of peer sockets without a kernel, for tests and simulation: datagrams travel as a test wants. */
import { type Bytes, equalBytes } from "../base/bytes.ts";
import type { IpAddress } from "../base/ip.ts";
import type { OnPeerDatagram, PeerSocket, PeerSocketSettings, PeerSockets } from "./peer-socket.ts";
import type { Travel } from "./segment-fake.ts";

/** A socket's queue holds no more than this; what comes then is dropped. */
const INBOX_DATAGRAMS = 200;

interface Inbox {
  readonly settings: PeerSocketSettings;
  readonly onDatagram: OnPeerDatagram;
  readonly waiting: { readonly bytes: Bytes; readonly source: IpAddress }[];
}

/** Joins the nodes that are plugged in. */
export class FakePeerNetwork {
  readonly #travel: Travel;
  readonly #schedule: (delayMs: number, task: () => void) => void;
  readonly #nodes = new Set<FakePeerSockets>();
  /** Every datagram that was sent, for tests that play recordings back. */
  onSent: ((from: string, bytes: Bytes, destination: IpAddress) => void) | undefined;

  constructor(travel: Travel, schedule: (delayMs: number, task: () => void) => void) {
    this.#travel = travel;
    this.#schedule = schedule;
  }

  plug(name: string): FakePeerSockets {
    const node = new FakePeerSockets(this, name);
    this.#nodes.add(node);
    return node;
  }

  unplug(node: FakePeerSockets): void {
    this.#nodes.delete(node);
  }

  transmit(from: FakePeerSockets, bytes: Bytes, source: IpAddress, destination: IpAddress): void {
    this.onSent?.(from.name, bytes, destination);
    for (const to of this.#nodes) {
      if (to === from) continue;
      // The switch brings it to everybody, and nobody has to look at what is not for it.
      const delaysMs = this.#travel(from.name, to.name);
      if (!to.hears(destination)) continue;
      for (const delayMs of delaysMs)
        this.#schedule(delayMs, () => {
          if (this.#nodes.has(to)) to.arrive(bytes, source, destination);
        });
    }
  }
}

/** The sockets of one node. */
export class FakePeerSockets implements PeerSockets {
  readonly name: string;
  readonly #network: FakePeerNetwork;
  readonly #inboxes = new Set<Inbox>();
  /** While true, datagrams wait in the sockets: the process is suspended. */
  isPaused = false;

  constructor(network: FakePeerNetwork, name: string) {
    this.#network = network;
    this.name = name;
  }

  open(settings: PeerSocketSettings, onDatagram: OnPeerDatagram): PeerSocket {
    const inbox: Inbox = { settings, onDatagram, waiting: [] };
    this.#inboxes.add(inbox);
    return {
      send: (bytes, destination) => {
        this.#network.transmit(this, bytes.slice(), settings.source, destination.slice());
        return 0;
      },
      close: () => this.#inboxes.delete(inbox),
    };
  }

  /** A socket is open for this destination. */
  hears(destination: IpAddress): boolean {
    for (const inbox of this.#inboxes) if (isFor(inbox, destination)) return true;
    return false;
  }

  arrive(bytes: Bytes, source: IpAddress, destination: IpAddress): void {
    for (const inbox of [...this.#inboxes]) {
      if (!isFor(inbox, destination)) continue;
      if (inbox.waiting.length < INBOX_DATAGRAMS) inbox.waiting.push({ bytes, source });
    }
    if (!this.isPaused) this.deliver();
  }

  /** Delivers what has waited. */
  deliver(): void {
    for (const inbox of [...this.#inboxes])
      for (let next = inbox.waiting.shift(); next !== undefined; next = inbox.waiting.shift())
        inbox.onDatagram(next.bytes, next.source, true);
  }
}

function isFor({ settings: { group, source } }: Inbox, destination: IpAddress): boolean {
  return equalBytes(destination, source) || (group !== undefined && equalBytes(destination, group));
}
