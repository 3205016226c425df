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
} from "../wire/netlink/conntrack.ts";
import { NETLINK_NETFILTER } from "../wire/netlink/nftables.ts";
import { NetlinkError, NetlinkSocket } from "./netlink-socket.ts";

const PROTOCOLS = { tcp: 6, udp: 17, sctp: 132 } as const;

/** Forgets connections to the ranges whose server `isStale`; a kernel without connection tracking has none. */
export function forgetConnections(
  ranges: readonly ServiceRange[],
  protocol: keyof typeof PROTOCOLS,
  isStale: (server: IpAddress) => boolean,
): void {
  try {
    const socket = new NetlinkSocket(NETLINK_NETFILTER);
    try {
      for (const family of new Set(ranges.map(({ ip }) => (ip.length === 4 ? 4 : 6))))
        forgetIn(socket, family, ranges, PROTOCOLS[protocol], isStale);
    } finally {
      socket.close();
    }
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error;
  }
}

function forgetIn(
  socket: NetlinkSocket,
  family: 4 | 6,
  ranges: readonly ServiceRange[],
  protocol: number,
  isStale: (server: IpAddress) => boolean,
): void {
  for (const body of socket.dump(CONNTRACK_GET, CONNTRACK_NEW, encodeConnectionsRequest(family))) {
    const connection = decodeConnection(body);
    if (!connection.ok || connection.value.original.protocol !== protocol) continue;
    const { destination, destinationPort } = connection.value.original;
    const isOurs = ranges.some(
      ({ ip, end, port }) =>
        ip.length === destination.length &&
        compareIp(ip, destination) <= 0 &&
        compareIp(destination, end) <= 0 &&
        (port === 0 || port === destinationPort),
    );
    // The other direction begins where the connection really ends.
    if (isOurs && isStale(connection.value.reply.source))
      socket.change(CONNTRACK_DELETE, 0, encodeForget(connection.value));
  }
}
