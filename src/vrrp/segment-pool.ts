/**
 * Advert sockets, shared by all routers that hear the same packets: one per link, family and group (keepalived's sockpool).
 * A packet is handed to the routers of its VRID.
 */
import type { Bytes } from "../base/bytes.ts";
import { type IpAddress, printIp } from "../base/ip.ts";
import type { AdvertSocket, AdvertSocketSettings, Segments } from "../io/segment.ts";
import { decodeIpv4 } from "../wire/ipv4.ts";
import { VRRP_PROTOCOL } from "../wire/vrrp/advert.ts";
import { AH_BYTES, AH_PROTOCOL, decodeAh } from "../wire/vrrp/ah.ts";
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
  /** Its share of the receive buffer; 0: none of its own. */
  readonly bufferBytes: number;
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
    const { link, family, source, hopLimit, protocol = VRRP_PROTOCOL } = settings;
    const key = [link?.index, family, group, printIp(source), hopLimit, protocol].join(" ");
    let shared = this.#shared.get(key);
    if (shared === undefined) {
      const members = new Set<Member>();
      const socket = this.#segments.openAdverts(settings, (packet, delivery, hasWaited) => {
        const received = delivery === undefined ? openIpv4(packet) : { ...delivery, headerBytes: 0, message: packet };
        if (received !== undefined) this.#deliver(members, { ...received, hasWaited });
      });
      shared = { socket, members };
      this.#shared.set(key, shared);
    }
    const { socket, members } = shared;
    const member: Member = { vrid, receive, bufferBytes: settings.receiveBufferBytes ?? 0 };
    members.add(member);
    if (members.size > 1) resize(socket, members);
    return {
      send: (packet, destination) => socket.send(packet, destination),
      leave: () => {
        if (!members.delete(member)) return;
        if (members.size > 0) {
          resize(socket, members);
          return;
        }
        this.#shared.delete(key);
        socket.close();
      },
    };
  }

  /** Delivers everything that has arrived: adverts are heard before a late timer decides. */
  drain(): void {
    for (const { socket } of [...this.#shared.values()]) socket.drain();
  }

  #deliver(members: ReadonlySet<Member>, received: ReceivedAdvert): void {
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

/** Every router brings the room that it needs. */
function resize(socket: AdvertSocket, members: ReadonlySet<Member>): void {
  let bytes = 0;
  for (const { bufferBytes } of members) bytes += bufferBytes;
  if (bytes > 0) socket.setReceiveBuffer(bytes);
}

function openIpv4(packet: Bytes): ReceivedAdvert | undefined {
  const read = decodeIpv4(packet);
  if (!read.ok) return undefined;
  const { source, destination, ttl, id, headerBytes, payload, protocol, totalBytes } = read.value;
  const outer = { source, destination, hopLimit: ttl, id };
  if (protocol === VRRP_PROTOCOL) return { ...outer, headerBytes, message: payload };
  const header = protocol === AH_PROTOCOL ? decodeAh(payload) : undefined;
  if (header?.ok !== true) return undefined;
  return {
    ...outer,
    headerBytes: headerBytes + AH_BYTES,
    message: payload.subarray(AH_BYTES),
    ah: { header: header.value, packet: packet.subarray(0, totalBytes), ipHeaderBytes: headerBytes },
  };
}
