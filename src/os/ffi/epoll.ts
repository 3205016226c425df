/** epoll(7). `struct epoll_event` is packed on x86-64 alone: 12 bytes there, 16 elsewhere. */
import { native } from "./native.ts";

export const EPOLLIN = 0x1;
export const EPOLLOUT = 0x4;
export const EPOLLERR = 0x8;
export const EPOLLHUP = 0x10;
export const EPOLLRDHUP = 0x2000;
export const EPOLLEXCLUSIVE = 0x10000000;
export const EPOLLET = 0x80000000 | 0;
export const EPOLL_CTL_ADD = 1;
export const EPOLL_CTL_DEL = 2;
export const EPOLL_CLOEXEC = 0o2000000;

/** 32-bit words from one event to the next. */
export const EVENT_WORDS = process.arch === "x64" ? 3 : 4;
/** The word of an event where its 64 bits of user data begin. */
export const EVENT_DATA_WORD = process.arch === "x64" ? 1 : 2;

export const epollCreate1 = native<(flags: number) => number>("int epoll_create1(int flags)");
export const epollCtl = native<(epfd: number, operation: number, fd: number, eventAddress: number) => number>(
  "int epoll_ctl(int epfd, int op, int fd, uint64_t event)",
);
export const epollWait = native<(epfd: number, eventsAddress: number, maxEvents: number, timeoutMs: number) => number>(
  "int epoll_wait(int epfd, uint64_t events, int maxevents, int timeout)",
);
