/**
 * Advert sockets, shared by all routers that hear the same packets: one per link, family and group (keepalived's sockpool).
 * A packet is handed to the routers of its VRID.
 */
import type { Bytes } from "../base/bytes.ts";
import { type IpAddress, printIp } from "../base/ip.ts";
import type { AdvertSocket, AdvertSocketSettings, Ipv6Delivery, Segments } from "../io/segment.ts";
import { decodeIpv4 } from "../wire/ipv4.ts";
import { VRRP_PROTOCOL } from "../wire/vrrp/advert.ts";
import type { ReceivedAdvert } from "./accept.ts";

/** A router's place on a segment. */
export interface Place {
  /** 0 or -errno. */
  send(packet: Bytes, destination: IpAddress): number;
  leave(): void;
}

interface Member {
  readonly vrid: number;
  readonly receive: (packet: ReceivedAdvert) => void;
}

interface Shared {
  readonly socket: AdvertSocket;
  readonly members: Set<Member>;
}

/** The open sockets of a node. */
export class SegmentPool {
  readonly #segments: Segments;
  readonly #onUnknownVrid: (vrid: number, source: IpAddress) => void;
  readonly #onDelivered: () => void;
  readonly #shared = new Map<string, Shared>();

  /** `onDelivered` is called behind every packet: deadlines may have moved. */
  constructor(segments: Segments, onUnknownVrid: (vrid: number, source: IpAddress) => void, onDelivered: () => void) {
    this.#segments = segments;
    this.#onUnknownVrid = onUnknownVrid;
    this.#onDelivered = onDelivered;
  }

  /** Throws the `Error` of `Segments.openAdverts`. */
  join(settings: AdvertSocketSettings, vrid: number, receive: (packet: ReceivedAdvert) => void): Place {
    const group = settings.group === undefined ? "unicast" : printIp(settings.group);
    const key = [settings.link?.index, settings.family, group, printIp(settings.source), settings.hopLimit].join(" ");
    let shared = this.#shared.get(key);
    if (shared === undefined) {
      const members = new Set<Member>();
      const socket = this.#segments.openAdverts(settings, (packet, delivery) =>
        this.#deliver(members, packet, delivery),
      );
      shared = { socket, members };
      this.#shared.set(key, shared);
    }
    const { socket, members } = shared;
    const member: Member = { vrid, receive };
    members.add(member);
    return {
      send: (packet, destination) => socket.send(packet, destination),
      leave: () => {
        if (!members.delete(member) || members.size > 0) return;
        this.#shared.delete(key);
        socket.close();
      },
    };
  }

  /** Delivers everything that has arrived: adverts are heard before a late timer decides. */
  drain(): void {
    for (const { socket } of [...this.#shared.values()]) socket.drain();
  }

  #deliver(members: ReadonlySet<Member>, packet: Bytes, delivery: Ipv6Delivery | undefined): void {
    const received = delivery === undefined ? openIpv4(packet) : { ...delivery, headerBytes: 0, message: packet };
    if (received === undefined) return;
    const vrid = received.message[1];
    if (vrid === undefined) {
      for (const { receive } of members) receive(received); // too short to name a router: every one counts it
      return;
    }
    let known = false;
    for (const member of [...members]) {
      if (member.vrid !== vrid) continue;
      known = true;
      member.receive(received);
    }
    if (known) this.#onDelivered();
    else this.#onUnknownVrid(vrid, received.source);
  }
}

function openIpv4(packet: Bytes): ReceivedAdvert | undefined {
  const read = decodeIpv4(packet);
  if (!read.ok || read.value.protocol !== VRRP_PROTOCOL) return undefined;
  const { source, destination, ttl, headerBytes, payload } = read.value;
  return { source, destination, hopLimit: ttl, headerBytes, message: payload };
}
