/**
 * A datagram socket that is connected to one peer: what it sends goes there, and it hears only that one.
 * Counterpart in nginx: ngx_udp_connect and the udp half of ngx_os_io_t.
 */
import type { Bytes } from "../base/bytes.ts";
import type { Endpoint } from "./stream.ts";

/** What a datagram socket tells its owner. No function of it may throw. */
export interface DatagramOwner {
  /** One datagram has arrived, cut off behind the largest that a UDP packet can carry. Lent: copy what must outlive this call. */
  onDatagram(bytes: Bytes): void;
  /** The socket has failed (ECONNREFUSED: the peer's machine says that nobody listens); nothing else will be told. The owner still has to close it. */
  onError(errno: number): void;
}

export interface Datagram {
  /** Sends one datagram; 0, or -errno when the kernel did not take it. */
  send(bytes: Bytes): number;
  /** Releases the socket; the owner hears nothing more. Safe to call once, also from inside a callback. */
  close(): void;
}

export interface Datagrams {
  /** A socket connected to `remote` (UDP, or a unix datagram socket); -errno when there is none to be had. */
  connect(remote: Endpoint, owner: DatagramOwner): Datagram | number;
}
