/** eventfd(2), io_uring_setup(2), io_uring_enter(2), io_uring_register(2): numbers and layouts of `linux/io_uring.h`, the same on every architecture. */
import { native } from "./native.ts";

const SYS_SETUP = 425;
const SYS_ENTER = 426;
const SYS_REGISTER = 427;

export const OP_NOP = 0;
export const OP_POLL_ADD = 6;
export const OP_ACCEPT = 13;
export const OP_ASYNC_CANCEL = 14;
export const OP_LINK_TIMEOUT = 15;
export const OP_CLOSE = 19;
export const OP_SEND = 26;
export const OP_RECV = 27;

/** Flags of a submission (its second byte). */
/** Linked to the next submission. */
export const SQE_LINK = 1 << 2;
export const SQE_BUFFER_SELECT = 1 << 5;
export const SQE_SKIP_SUCCESS = 1 << 6;
/** In a submission's `ioprio`. */
/** Waits for the socket before it looks what has come: for what is hardly ever there already. */
export const RECVSEND_POLL_FIRST = 1 << 0;
export const RECV_MULTISHOT = 1 << 1;

/** Flags of a completion; the upper 16 bits are the buffer's number. */
export const CQE_BUFFER = 1 << 0;
export const CQE_MORE = 1 << 1;
/** More can be read: bytes or an end. */
export const CQE_SOCKET_NONEMPTY = 1 << 2;
export const CQE_BUFFER_SHIFT = 16;

export const SETUP_CQSIZE = 1 << 3;
export const SETUP_SINGLE_ISSUER = 1 << 12;
export const SETUP_DEFER_TASKRUN = 1 << 13;
export const FEAT_SINGLE_MMAP = 1 << 0;
export const ENTER_GETEVENTS = 1 << 0;
export const ENTER_EXT_ARG = 1 << 3;
export const REGISTER_EVENTFD = 4;
export const REGISTER_PBUF_RING = 22;
/** In the completion queue's flags: what completes is not told to the eventfd. */
export const CQ_EVENTFD_DISABLED = 1 << 0;
/** What to mmap from the ring's descriptor. */
export const OFFSET_RINGS = 0;
export const OFFSET_SQES = 0x10000000;

/** `struct io_uring_params`, as offsets of 32-bit words. */
export const PARAMS_BYTES = 120;
export const PARAMS_SQ_ENTRIES = 0;
export const PARAMS_CQ_ENTRIES = 1;
export const PARAMS_FLAGS = 2;
export const PARAMS_FEATURES = 5;
export const PARAMS_SQ_TAIL = 11;
export const PARAMS_SQ_ARRAY = 16;
export const PARAMS_CQ_HEAD = 20;
export const PARAMS_CQ_TAIL = 21;
export const PARAMS_CQ_CQES = 25;
export const PARAMS_CQ_FLAGS = 26;

/** `struct io_uring_sqe`, as offsets of 32-bit words. Word 0: opcode, flags, ioprio. */
export const SQE_WORDS = 16;
export const SQE_FD = 1;
export const SQE_ADDRESS2 = 2;
export const SQE_ADDRESS = 4;
export const SQE_LENGTH = 6;
export const SQE_OP_FLAGS = 7;
export const SQE_USER_DATA = 8;
export const SQE_BUFFER_GROUP = 10;

/** `struct io_uring_cqe`: user_data (two words), result, flags. */
export const CQE_WORDS = 4;
/** `struct io_uring_buf`: address (two words), length, number and the ring's tail (in the first one). */
export const BUFFER_WORDS = 4;

/** The ring's descriptor; -1 with errno. */
export const ioUringSetup = (entries: number, params: number): number => rawSetup(SYS_SETUP, entries, params);
/** How many were submitted; -1 with errno. */
export const ioUringEnter = (
  fd: number,
  submit: number,
  wait: number,
  flags: number,
  argument: number,
  argumentBytes: number,
): number => rawEnter(SYS_ENTER, fd, submit, wait, flags, argument, argumentBytes);
/** 0 or more; -1 with errno. */
export const ioUringRegister = (fd: number, what: number, argument: number, count: number): number =>
  rawRegister(SYS_REGISTER, fd, what, argument, count);

export const EFD_NONBLOCK = 0o4000;
export const EFD_CLOEXEC = 0o2000000;
export const eventfd = native<(value: number, flags: number) => number>("int eventfd(unsigned int value, int flags)");

const rawSetup = native<(call: number, entries: number, params: number) => number>(
  "long syscall(long call, uint32_t entries, uint64_t params)",
);
const rawEnter = native<
  (call: number, fd: number, submit: number, wait: number, flags: number, arg: number, bytes: number) => number
>("long syscall(long call, uint32_t fd, uint32_t submit, uint32_t wait, uint32_t flags, uint64_t arg, size_t bytes)");
const rawRegister = native<(call: number, fd: number, what: number, argument: number, count: number) => number>(
  "long syscall(long call, uint32_t fd, uint32_t what, uint64_t argument, uint32_t count)",
);
