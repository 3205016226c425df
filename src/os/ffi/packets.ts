/** Raw and packet sockets (raw(7), packet(7), ip(7), ipv6(7)): what they need beyond sockets.ts. */
import { native } from "./native.ts";

export const SOCK_RAW = 3;
export const AF_PACKET = 17;

export const SO_PRIORITY = 12;
export const SO_BINDTODEVICE = 25;
export const SO_RCVBUFFORCE = 33;
export const IP_TOS = 1;
export const IP_TTL = 2;
export const IP_HDRINCL = 3;
export const IP_PKTINFO = 8;
export const IP_RECVTTL = 12;
export const IP_MULTICAST_IF = 32;
export const IP_MULTICAST_TTL = 33;
export const IP_MULTICAST_LOOP = 34;
export const IP_ADD_MEMBERSHIP = 35;
export const IP_MULTICAST_ALL = 49;
export const IPV6_UNICAST_HOPS = 16;
export const IPV6_MULTICAST_IF = 17;
export const IPV6_MULTICAST_HOPS = 18;
export const IPV6_MULTICAST_LOOP = 19;
export const IPV6_JOIN_GROUP = 20;
export const IPV6_MULTICAST_ALL = 29;
export const IPV6_RECVPKTINFO = 49;
export const IPV6_PKTINFO = 50;
export const IPV6_RECVHOPLIMIT = 51;
export const IPV6_HOPLIMIT = 52;
export const IPV6_TCLASS = 67;

/** `struct msghdr` on 64 bits: name, namelen, iov, iovlen, control, controllen, flags. */
export const MSGHDR_BYTES = 56;

export const recvmsg = native<(fd: number, messageAddress: number, flags: number) => number>(
  "long recvmsg(int fd, uint64_t message, int flags)",
);
