/** socket(2), bind(2), listen(2), accept4(2), connect(2), recv(2), send(2), sendmsg(2), shutdown(2), {get,set}sockopt(2), get{sock,peer}name(2), sendfile(2). */
import { native } from "./native.ts";

export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_RAW = 3;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;

export const MSG_MORE = 0x8000;
export const MSG_NOSIGNAL = 0x4000;
export const MSG_DONTWAIT = 0x40;
export const MSG_WAITALL = 0x100;
export const SHUT_WR = 1;

export const SOL_SOCKET = 1;
export const SO_REUSEADDR = 2;
export const IPPROTO_MPTCP = 262;
export const SO_PROTOCOL = 38;
export const SO_TYPE = 3;
export const SO_ERROR = 4;
export const SO_SNDBUF = 7;
export const SO_RCVBUF = 8;
export const SO_KEEPALIVE = 9;
export const SO_LINGER = 13;
export const SO_REUSEPORT = 15;
export const SO_BINDTODEVICE = 25;
export const SO_ACCEPTCONN = 30;
export const SO_MARK = 36;
export const IPPROTO_IP = 0;
export const IP_RECVERR = 11;
export const IP_TRANSPARENT = 19;
export const IP_BIND_ADDRESS_NO_PORT = 24;
export const IPPROTO_ICMP = 1;
export const IPPROTO_TCP = 6;
export const TCP_NODELAY = 1;
export const TCP_CORK = 3;
export const TCP_KEEPIDLE = 4;
export const TCP_KEEPINTVL = 5;
export const TCP_KEEPCNT = 6;
export const TCP_DEFER_ACCEPT = 9;
export const TCP_INFO = 11;
export const TCP_FASTOPEN = 23;
export const IPPROTO_IPV6 = 41;
export const IPPROTO_ICMPV6 = 58;
export const IPV6_RECVERR = 25;
export const IPV6_V6ONLY = 26;
export const IPV6_TRANSPARENT = 75;

type Address = number;

export const socket = native<(domain: number, type: number, protocol: number) => number>(
  "int socket(int domain, int type, int protocol)",
);
export const bind = native<(fd: number, address: Address, length: number) => number>(
  "int bind(int fd, uint64_t address, uint32_t length)",
);
export const listen = native<(fd: number, backlog: number) => number>("int listen(int fd, int backlog)");
export const accept4 = native<(fd: number, address: Address, lengthAddress: Address, flags: number) => number>(
  "int accept4(int fd, uint64_t address, uint64_t length, int flags)",
);
export const connect = native<(fd: number, address: Address, length: number) => number>(
  "int connect(int fd, uint64_t address, uint32_t length)",
);
export const recv = native<(fd: number, address: Address, sizeBytes: number, flags: number) => number>(
  "long recv(int fd, uint64_t buffer, size_t size, int flags)",
);
export const send = native<(fd: number, address: Address, sizeBytes: number, flags: number) => number>(
  "long send(int fd, uint64_t buffer, size_t size, int flags)",
);
export const sendto = native<
  (fd: number, address: Address, sizeBytes: number, flags: number, to: Address, length: number) => number
>("long sendto(int fd, uint64_t buffer, size_t size, int flags, uint64_t to, uint32_t length)");
/** `message` points at a struct msghdr. */
export const sendmsg = native<(fd: number, message: Address, flags: number) => number>(
  "long sendmsg(int fd, uint64_t message, int flags)",
);
export const shutdown = native<(fd: number, how: number) => number>("int shutdown(int fd, int how)");
export const setsockopt = native<(fd: number, level: number, name: number, value: Address, length: number) => number>(
  "int setsockopt(int fd, int level, int name, uint64_t value, uint32_t length)",
);
export const getsockopt = native<
  (fd: number, level: number, name: number, value: Address, lengthAddress: Address) => number
>("int getsockopt(int fd, int level, int name, uint64_t value, uint64_t length)");
export const getsockname = native<(fd: number, address: Address, lengthAddress: Address) => number>(
  "int getsockname(int fd, uint64_t address, uint64_t length)",
);
/** `offsetAddress` points at a 64-bit offset, which the call moves on. */
export const sendfile = native<(out: number, file: number, offsetAddress: Address, sizeBytes: number) => number>(
  "long sendfile(int out, int file, uint64_t offset, size_t count)",
);
