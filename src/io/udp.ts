/**
 * UDP between routers: what arrives at a port of this node, with its hop limit and both addresses, and senders with a hop
 * limit and a source of their own. Implementation: os/udp.ts; the simulation has its own. `datagram.ts` is for clients that
 * ask one server. keepalived's counterpart: bfd_open_fd_in, bfd_open_fd_out.
 */
import type { Bytes } from "../base/bytes.ts";
import type { IpAddress } from "../base/ip.ts";

/** Whence and how a datagram has come. */
export interface UdpDelivery {
  readonly source: IpAddress;
  readonly sourcePort: number;
  readonly destination: IpAddress;
  /** TTL or hop limit as it arrived. */
  readonly hopLimit: number;
}

/** One datagram, lent for the call. */
export type OnUdp = (bytes: Bytes, delivery: UdpDelivery) => void;

export interface UdpReceiver {
  /** Delivers what has arrived and was not delivered yet, before it returns. */
  drain(): void;
  close(): void;
}

export interface UdpSenderSettings {
  readonly destination: IpAddress;
  readonly port: number;
  /** undefined: the kernel's choice for each packet. */
  readonly source: IpAddress | undefined;
  /** The source port is a free one of these, the search begins at `first`. */
  readonly sourcePorts: { readonly min: number; readonly max: number; readonly first: number };
  readonly hopLimit: number;
}

export interface UdpSender {
  /** Never blocks. 0 or -errno. */
  send(bytes: Bytes): number;
  close(): void;
}

export interface Udp {
  /** Receives on all addresses of a family. Throws an `Error` that names the call and errno when the kernel refuses. */
  receive(family: 4 | 6, port: number, onDatagram: OnUdp): UdpReceiver;
  /** Throws as `receive` does. */
  sender(settings: UdpSenderSettings): UdpSender;
}
