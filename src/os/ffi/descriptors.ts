/** socketpair(2), sendmsg(2), recvmsg(2), and the layout of what they read: for passing descriptors between processes. */
import { native } from "./native.ts";

export const SOCK_SEQPACKET = 5;
export const SCM_RIGHTS = 1;
/** The most descriptors that Linux takes in one message. */
export const SCM_MAX_FD = 253;
export const MSG_CMSG_CLOEXEC = 0x40000000;

/** `struct msghdr`: offsets of the pointers and lengths that are used here. */
export const MSGHDR_IOV = 16;
export const MSGHDR_IOV_COUNT = 24;
export const MSGHDR_CONTROL = 32;
export const MSGHDR_CONTROL_BYTES = 40;
export const MSGHDR_BYTES = 56;
/** `struct iovec`: an address, then a size. */
export const IOVEC_BYTES = 16;
/** `struct cmsghdr`: a 64-bit length that counts itself, the level, the type, then the data. */
export const CMSG_LEVEL = 8;
export const CMSG_TYPE = 12;
export const CMSG_DATA = 16;

export const socketpair = native<(domain: number, type: number, protocol: number, pair: number) => number>(
  "int socketpair(int domain, int type, int protocol, uint64_t pair)",
);
export const sendmsg = native<(fd: number, message: number, flags: number) => number>(
  "long sendmsg(int fd, uint64_t message, int flags)",
);
export const recvmsg = native<(fd: number, message: number, flags: number) => number>(
  "long recvmsg(int fd, uint64_t message, int flags)",
);
