/** A network of routers without a kernel, for tests and simulation: sockets of `Udp` whose datagrams travel as a test wants. */
import type { Bytes } from "../base/bytes.ts";
import { equalBytes } from "../base/bytes.ts";
import type { IpAddress } from "../base/ip.ts";
import type { OnUdp, Udp, UdpDelivery, UdpReceiver, UdpSender, UdpSenderSettings } from "./udp.ts";

export interface UdpNetworkSettings {
  /** When copies of a datagram between two hosts arrive, in ms from now; an empty list is a loss. */
  readonly travel: (from: string, to: string) => readonly number[];
  /** Runs the task so many ms later. */
  readonly schedule: (delayMs: number, task: () => void) => void;
  /** Routers that a datagram passes on its way. */
  readonly hops?: number;
}

/** An inbox holds no more than this, like a socket's receive buffer; what comes then is dropped. */
const INBOX_DATAGRAMS = 200;
const EADDRNOTAVAIL = "bind: EADDRNOTAVAIL";
const EADDRINUSE = "bind: EADDRINUSE";

interface Inbox {
  readonly family: 4 | 6;
  readonly port: number;
  readonly onDatagram: OnUdp;
  readonly waiting: { readonly bytes: Bytes; readonly delivery: UdpDelivery }[];
}

/** Joins hosts. */
export class FakeUdpNetwork {
  readonly settings: UdpNetworkSettings;
  readonly #hosts = new Set<FakeUdp>();
  /** Datagrams that were sent. */
  datagrams = 0;

  constructor(settings: UdpNetworkSettings) {
    this.settings = settings;
  }

  /** A host with these addresses; the first of a family is its source when nobody names another. */
  host(name: string, addresses: readonly IpAddress[]): FakeUdp {
    const host = new FakeUdp(this, name, addresses);
    this.#hosts.add(host);
    return host;
  }

  /** Pulls a host out for ever. */
  unplug(host: FakeUdp): void {
    this.#hosts.delete(host);
  }

  transmit(from: FakeUdp, bytes: Bytes, port: number, delivery: UdpDelivery): void {
    if (!this.#hosts.has(from)) return;
    this.datagrams++;
    for (const to of this.#hosts) {
      if (to === from || !to.has(delivery.destination)) continue;
      for (const delayMs of this.settings.travel(from.name, to.name))
        this.settings.schedule(delayMs, () => {
          if (this.#hosts.has(to)) to.arrive(bytes, port, delivery);
        });
    }
  }
}

/** The UDP of one host. */
export class FakeUdp implements Udp {
  readonly name: string;
  readonly addresses: readonly IpAddress[];
  readonly #network: FakeUdpNetwork;
  readonly #inboxes = new Set<Inbox>();
  readonly #ports = new Set<number>();
  /** While true, datagrams wait in the sockets: the process is suspended. */
  isPaused = false;
  /** What `send` answers instead of sending, 0: it sends. */
  sendFailure = 0;

  constructor(network: FakeUdpNetwork, name: string, addresses: readonly IpAddress[]) {
    this.#network = network;
    this.name = name;
    this.addresses = addresses;
  }

  has(address: IpAddress): boolean {
    for (const own of this.addresses) if (equalBytes(own, address)) return true;
    return false;
  }

  receive(family: 4 | 6, port: number, onDatagram: OnUdp): UdpReceiver {
    if ([...this.#inboxes].some((other) => other.family === family && other.port === port)) throw new Error(EADDRINUSE);
    const inbox: Inbox = { family, port, onDatagram, waiting: [] };
    this.#inboxes.add(inbox);
    return {
      drain: () => this.#deliver(inbox),
      close: () => this.#inboxes.delete(inbox),
    };
  }

  sender(settings: UdpSenderSettings): UdpSender {
    const { destination, port, hopLimit } = settings;
    const own = settings.source ?? this.addresses.find(({ length }) => length === destination.length);
    if (own === undefined || !this.addresses.some((address) => equalBytes(address, own)))
      throw new Error(EADDRNOTAVAIL);
    const { min, max, first } = settings.sourcePorts;
    let sourcePort = first;
    while (this.#ports.has(sourcePort)) {
      sourcePort = sourcePort === max ? min : sourcePort + 1;
      if (sourcePort === first) throw new Error(EADDRINUSE);
    }
    this.#ports.add(sourcePort);
    return {
      send: (bytes) => {
        if (this.sendFailure !== 0) return this.sendFailure;
        const left = hopLimit - (this.#network.settings.hops ?? 0);
        if (left > 0)
          this.#network.transmit(this, bytes.slice(), port, { source: own, sourcePort, destination, hopLimit: left });
        return 0;
      },
      close: () => this.#ports.delete(sourcePort),
    };
  }

  arrive(bytes: Bytes, port: number, delivery: UdpDelivery): void {
    const family = delivery.destination.length === 4 ? 4 : 6;
    for (const inbox of this.#inboxes) {
      if (inbox.family !== family || inbox.port !== port || inbox.waiting.length >= INBOX_DATAGRAMS) continue;
      if (this.isPaused || inbox.waiting.length > 0) inbox.waiting.push({ bytes, delivery });
      else inbox.onDatagram(bytes, delivery);
      if (!this.isPaused) this.#deliver(inbox);
    }
  }

  /** Hands out what has waited: the process runs again. */
  deliver(): void {
    for (const inbox of [...this.#inboxes]) this.#deliver(inbox);
  }

  #deliver(inbox: Inbox): void {
    if (inbox.waiting.length === 0) return;
    for (const { bytes, delivery } of inbox.waiting.splice(0))
      if (this.#inboxes.has(inbox)) inbox.onDatagram(bytes, delivery);
  }
}
