/** System calls of netlink sockets (netlink(7)): the numbers and prototypes that differ from other sockets. */
import { errno, native } from "./native.ts";

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_RCVTIMEO = 20;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const MSG_TRUNC = 0x20;
const SOCKADDR_NL_BYTES = 12;

const socket = native<(domain: number, type: number, protocol: number) => number>(
  "int socket(int domain, int type, int protocol)",
);
const bind = native<(fd: number, address: Uint8Array, size: number) => number>(
  "int bind(int fd, const void *address, unsigned int size)",
);
const setsockopt = native<(fd: number, level: number, name: number, value: Uint8Array, size: number) => number>(
  "int setsockopt(int fd, int level, int name, const void *value, unsigned int size)",
);
const send = native<(fd: number, bytes: Uint8Array, size: number, flags: number) => number>(
  "long send(int fd, const void *bytes, size_t size, int flags)",
);
const recv = native<(fd: number, bytes: Uint8Array, size: number, flags: number) => number>(
  "long recv(int fd, void *bytes, size_t size, int flags)",
);
const close = native<(fd: number) => number>("int close(int fd)");

function int32(value: number): Uint8Array {
  return new Uint8Array(new Int32Array([value]).buffer);
}

/** Opens a netlink socket of a protocol (0 is NETLINK_ROUTE) that hears the multicast groups of the bit mask. Returns the descriptor or -errno. */
export function netlinkOpen(protocol: number, groups: number, nonBlocking: boolean): number {
  const fd = Number(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | (nonBlocking ? SOCK_NONBLOCK : 0), protocol));
  if (fd < 0) return -errno();
  const address = new Uint8Array(SOCKADDR_NL_BYTES);
  new Uint16Array(address.buffer, 0, 1)[0] = AF_NETLINK;
  new Uint32Array(address.buffer, 8, 1)[0] = groups;
  if (bind(fd, address, SOCKADDR_NL_BYTES) < 0) {
    const failure = errno();
    close(fd);
    return -failure;
  }
  // Older kernels lack these two; the answers are then longer and without a reason in words.
  setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, int32(1), 4);
  setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, int32(1), 4);
  return fd;
}

/** Asks for a receive buffer of this size, beyond the system's limit when privileged. */
export function netlinkReceiveBuffer(fd: number, sizeBytes: number): void {
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, int32(sizeBytes), 4) < 0)
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, int32(sizeBytes), 4);
}

/** Asks for room for a datagram of this size, beyond the system's limit when privileged. */
export function netlinkSendBuffer(fd: number, sizeBytes: number): void {
  if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, int32(sizeBytes), 4) < 0)
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, int32(sizeBytes), 4);
}

/** Lets a blocking receive fail with EAGAIN after so many whole seconds. */
export function netlinkReceiveTimeout(fd: number, seconds: number): void {
  const timeval = new Uint8Array(new BigInt64Array([BigInt(seconds), 0n]).buffer);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, timeval, timeval.length);
}

/** Sends one datagram to the kernel: the number of bytes or -errno. */
export function netlinkSend(fd: number, bytes: Uint8Array): number {
  const sent = Number(send(fd, bytes, bytes.length, 0));
  return sent < 0 ? -errno() : sent;
}

/** Receives one datagram: its true length, which may exceed `bytes`, or -errno. */
export function netlinkReceive(fd: number, bytes: Uint8Array): number {
  const received = Number(recv(fd, bytes, bytes.length, MSG_TRUNC));
  return received < 0 ? -errno() : received;
}

/** Closes the descriptor. A watch on it has to be closed first. */
export function netlinkClose(fd: number): void {
  close(fd);
}
