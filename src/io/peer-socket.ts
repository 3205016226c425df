/** Datagrams between the nodes of a pair on one link. Implementation: os/peer-sockets.ts (UDP); the simulation has its own. */
import type { Bytes } from "../base/bytes.ts";
import type { IpAddress } from "../base/ip.ts";

export interface PeerSocketSettings {
  readonly link: { readonly index: number; readonly name: string };
  /** The node's own address on the link: where messages come from. */
  readonly source: IpAddress;
  /** Heard, too; undefined: none. */
  readonly group: IpAddress | undefined;
  readonly port: number;
}

/** One datagram and whence it came; `isOnLink`: no router has passed it on. Lent for the call. */
export type OnPeerDatagram = (bytes: Bytes, source: IpAddress, isOnLink: boolean) => void;

export interface PeerSocket {
  /** Never blocks. 0 or -errno. */
  send(bytes: Bytes, destination: IpAddress): number;
  close(): void;
}

export interface PeerSockets {
  /** Throws an `Error` that names the call and errno when the kernel refuses. */
  open(settings: PeerSocketSettings, onDatagram: OnPeerDatagram): PeerSocket;
}
