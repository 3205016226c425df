/** What a service listens on, and how an address is printed. The sockets are opened by the master and inherited by workers. */
import { printIp } from "../base/ip.ts";
import type { Endpoint } from "./stream.ts";

/** nginx's NGX_LISTEN_BACKLOG on Linux. */
export const DEFAULT_BACKLOG = 511;

/** `so_keepalive=idle:interval:count`; seconds, each may be left to the system. */
export interface KeepAliveOptions {
  readonly idleS?: number;
  readonly intervalS?: number;
  readonly count?: number;
}

/** What the `listen` directives of one address ask for. An option that is absent is left to the system. */
export interface ListenSpec {
  readonly endpoint: Endpoint;
  /** UDP instead of TCP. */
  readonly datagram?: boolean;
  readonly backlog?: number;
  readonly receiveBufferBytes?: number;
  readonly sendBufferBytes?: number;
  /** IPv6 only: true unless `ipv6only=off`. */
  readonly ipv6Only?: boolean;
  /** Multipath TCP (RFC 8684): clients that don't speak it are served by TCP. */
  readonly multipath?: boolean;
  /** One socket for each worker. */
  readonly reusePort?: boolean;
  /** TCP_DEFER_ACCEPT of one second, as nginx. */
  readonly deferred?: boolean;
  /** Length of the TCP_FASTOPEN queue. */
  readonly fastOpen?: number;
  readonly keepAlive?: boolean | KeepAliveOptions;
}

/** A spec whose socket is open in this process. */
export interface Listener {
  readonly spec: ListenSpec;
  readonly fd: number;
}

/** `0.0.0.0:80`, `[::]:80`, `unix:/path`: as nginx prints an address. */
export function printEndpoint(endpoint: Endpoint): string {
  if ("path" in endpoint) return `unix:${endpoint.path}`;
  return endpoint.ip.length === 4
    ? `${printIp(endpoint.ip)}:${endpoint.port}`
    : `[${printIp(endpoint.ip)}]:${endpoint.port}`;
}
