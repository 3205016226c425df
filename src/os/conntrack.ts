/** Makes the kernel forget connections that were translated to somewhere else than they would be now. Counterpart: `conntrack -D`. */
import { compareIp, type IpAddress } from "../base/ip.ts";
import type { ServiceRange } from "../io/virtual-services.ts";
import {
  CONNTRACK_DELETE,
  CONNTRACK_GET,
  CONNTRACK_NEW,
  decodeConnection,
  encodeConnectionsRequest,
  encodeForget,
  type TrackedConnection,
} from "../wire/netlink/conntrack.ts";
import { NETLINK_NETFILTER } from "../wire/netlink/nftables.ts";
import { NetlinkError, NetlinkSocket } from "./netlink-socket.ts";

/** Connections that are looked at: the kernel's usual limit (nf_conntrack_max) on a machine with 8 GB and more. */
const MOST_CONNECTIONS = 262_144;
const PROTOCOLS = { tcp: 6, udp: 17, sctp: 132 } as const;

/** Forgets connections to the ranges whose server `isStale`; a kernel without connection tracking has none. */
export function forgetConnections(
  ranges: readonly ServiceRange[],
  protocol: keyof typeof PROTOCOLS,
  isStale: (server: IpAddress) => boolean,
): void {
  try {
    for (const family of new Set(ranges.map(({ ip }) => (ip.length === 4 ? 4 : 6)))) {
      const stale: TrackedConnection[] = [];
      const isOurs = isConnectionTo(ranges, PROTOCOLS[protocol]);
      withSocket((socket) =>
        socket.count(CONNTRACK_GET, CONNTRACK_NEW, encodeConnectionsRequest(family), MOST_CONNECTIONS, (body) => {
          const connection = decodeConnection(body);
          // The other direction begins where the connection really ends.
          if (connection.ok && isOurs(connection.value) && isStale(connection.value.reply.source))
            stale.push(connection.value);
        }),
      );
      withSocket((socket) => {
        for (const connection of stale) socket.change(CONNTRACK_DELETE, 0, encodeForget(connection));
      });
    }
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error;
  }
}

function withSocket(use: (socket: NetlinkSocket) => void): void {
  const socket = new NetlinkSocket(NETLINK_NETFILTER);
  try {
    use(socket);
  } finally {
    socket.close();
  }
}

function isConnectionTo(ranges: readonly ServiceRange[], wanted: number): (connection: TrackedConnection) => boolean {
  return ({ original: { protocol, destination, destinationPort } }) =>
    protocol === wanted &&
    ranges.some(
      ({ ip, end, port }) =>
        ip.length === destination.length &&
        compareIp(ip, destination) <= 0 &&
        compareIp(destination, end) <= 0 &&
        (port === 0 || port === destinationPort),
    );
}
