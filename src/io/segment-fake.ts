/** A switch without a kernel, for tests and simulation: sockets of `Segments` whose packets travel as a test wants. */
import type { Bytes } from "../base/bytes.ts";
import { equalBytes } from "../base/bytes.ts";
import type { IpAddress } from "../base/ip.ts";
import type {
  AdvertSocket,
  AdvertSocketSettings,
  FrameSocket,
  Ipv6Delivery,
  OnAdvertPacket,
  Segments,
} from "./segment.ts";

/** How packets travel: when copies of a packet between two ports arrive, in ms from now; an empty list is a loss. */
export type Travel = (from: string, to: string) => readonly number[];

export interface SwitchSettings {
  readonly travel: Travel;
  /** Runs the task so many ms later. */
  readonly schedule: (delayMs: number, task: () => void) => void;
  /** A frame (ARP, neighbour discovery) leaves a port. */
  readonly onFrame?: (from: string, frame: Bytes) => void;
}

const VRRP = 112;
/** An inbox holds no more than this, like a socket's receive buffer; what comes then is dropped. */
const INBOX_PACKETS = 200;

interface Inbox {
  readonly settings: AdvertSocketSettings;
  readonly packets: { readonly packet: Bytes; readonly delivery: Ipv6Delivery | undefined }[];
  readonly onPacket: OnAdvertPacket;
}

/** Joins the ports of nodes. */
export class FakeSwitch {
  readonly settings: SwitchSettings;
  readonly #ports = new Set<FakeSegments>();
  /** Packets that were sent into the switch. */
  packets = 0;

  constructor(settings: SwitchSettings) {
    this.settings = settings;
  }

  /** Plugs a node in. */
  port(name: string): FakeSegments {
    const port = new FakeSegments(this, name);
    this.#ports.add(port);
    return port;
  }

  /** Pulls a node out for ever. */
  unplug(port: FakeSegments): void {
    this.#ports.delete(port);
  }

  transmit(from: FakeSegments, packet: Bytes, destination: IpAddress, delivery: Ipv6Delivery | undefined): void {
    this.packets++;
    for (const to of this.#ports) {
      if (to === from) continue;
      for (const delayMs of this.settings.travel(from.name, to.name))
        this.settings.schedule(delayMs, () => {
          if (this.#ports.has(to)) to.arrive(packet, destination, delivery);
        });
    }
  }
}

/** A node's port on the switch. */
export class FakeSegments implements Segments {
  readonly name: string;
  readonly #switch: FakeSwitch;
  readonly #inboxes = new Set<Inbox>();
  /** While true, packets wait in the sockets: the process is suspended. */
  isPaused = false;
  /** What `send` answers instead of sending, 0: it sends. */
  sendFailure = 0;
  /** Sizes that were asked for while sockets were open. */
  readonly receiveBuffers: number[] = [];

  constructor(joined: FakeSwitch, name: string) {
    this.#switch = joined;
    this.name = name;
  }

  openAdverts(settings: AdvertSocketSettings, onPacket: OnAdvertPacket): AdvertSocket {
    const inbox: Inbox = { settings, packets: [], onPacket };
    this.#inboxes.add(inbox);
    return {
      send: (packet, destination) => {
        if (this.sendFailure !== 0) return this.sendFailure;
        const { source, family, hopLimit } = settings;
        const delivery = family === 4 ? undefined : { source, destination, hopLimit: hopLimit ?? 64 };
        this.#switch.transmit(this, packet.slice(), destination.slice(), delivery);
        return 0;
      },
      drain: () => drain(inbox),
      setReceiveBuffer: (sizeBytes) => this.receiveBuffers.push(sizeBytes),
      close: () => this.#inboxes.delete(inbox),
    };
  }

  openFrames(): FrameSocket {
    return {
      send: (frame) => {
        if (this.sendFailure !== 0) return this.sendFailure;
        this.#switch.settings.onFrame?.(this.name, frame.slice());
        return 0;
      },
      close: () => {},
    };
  }

  /** A packet reaches this port. */
  arrive(packet: Bytes, destination: IpAddress, delivery: Ipv6Delivery | undefined): void {
    for (const inbox of [...this.#inboxes]) {
      const { group, source, family } = inbox.settings;
      if ((delivery === undefined) !== (family === 4)) continue;
      if (delivery === undefined && packet[0] === 0x45 && packet[9] !== (inbox.settings.protocol ?? VRRP)) continue;
      if (!equalBytes(destination, source) && (group === undefined || !equalBytes(destination, group))) continue;
      if (inbox.packets.length < INBOX_PACKETS) inbox.packets.push({ packet, delivery });
      if (!this.isPaused) drain(inbox);
    }
  }

  /** Delivers what has waited in the sockets. */
  deliver(): void {
    for (const inbox of [...this.#inboxes]) drain(inbox);
  }

  /** Sends arbitrary bytes into the segment, as if they came from here: for crafted adverts. */
  inject(packet: Bytes, destination: IpAddress, delivery?: Ipv6Delivery): void {
    this.#switch.transmit(this, packet, destination, delivery);
  }
}

function drain(inbox: Inbox): void {
  let hasWaited = false;
  for (let next = inbox.packets.shift(); next !== undefined; next = inbox.packets.shift()) {
    inbox.onPacket(next.packet, next.delivery, hasWaited);
    hasWaited = true;
  }
}
