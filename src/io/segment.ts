/**
 * The network segment of a link as VRRP uses it: raw packets of protocol 112 and ready-made Ethernet frames.
 * Implementation: os/segments.ts; the simulation has its own. keepalived's counterpart: vrrp_sock.c, open_vrrp_*_socket.
 */
import type { Bytes } from "../base/bytes.ts";
import type { IpAddress } from "../base/ip.ts";

export interface AdvertSocketSettings {
  /** undefined: any interface, for unicast peers alone. */
  readonly link: { readonly index: number; readonly name: string } | undefined;
  readonly family: 4 | 6;
  /** The multicast group to join; undefined: unicast only. */
  readonly group: IpAddress | undefined;
  /** Where IPv6 packets come from; IPv4 packets carry their own header. */
  readonly source: IpAddress;
  /** Of IPv6 packets; IPv4 packets carry their own header. undefined: the kernel's. */
  readonly hopLimit: number | undefined;
  /** undefined: the system's default. */
  readonly receiveBufferBytes: number | undefined;
  /** 112 unless it is said: VRRP. 51: inside an authentication header, IPv4 only. */
  readonly protocol?: number;
}

/** What the IPv6 stack says about a packet whose header it keeps. */
export interface Ipv6Delivery {
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly hopLimit: number;
}

/**
 * IPv4: the whole packet with its header, and no delivery; IPv6: the message and its delivery. Lent for the call. `hasWaited`: it is read
 * together with one before it, so that it may have been there before anything that was sent since.
 */
export type OnAdvertPacket = (packet: Bytes, delivery: Ipv6Delivery | undefined, hasWaited: boolean) => void;

export interface AdvertSocket {
  /** IPv4: a whole packet; IPv6: a message. Never blocks. 0 or -errno. */
  send(packet: Bytes, destination: IpAddress): number;
  /** Delivers what has arrived and was not delivered yet, before it returns. */
  drain(): void;
  /** Asks for another size of the receive buffer; the kernel has the last word. */
  setReceiveBuffer(sizeBytes: number): void;
  close(): void;
}

export interface FrameSocket {
  /** Sends a whole Ethernet frame. Never blocks. 0 or -errno. */
  send(frame: Bytes): number;
  close(): void;
}

export interface Segments {
  /** Throws an `Error` that names the call and errno when the kernel refuses. */
  openAdverts(settings: AdvertSocketSettings, onPacket: OnAdvertPacket): AdvertSocket;
  openFrames(linkIndex: number): FrameSocket;
}
