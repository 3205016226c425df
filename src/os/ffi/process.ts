/** prctl(2), setrlimit(2), sched_setaffinity(2), getpwnam(3), getgrnam(3), getrandom(2). */
import { native } from "./native.ts";

export const PR_SET_DUMPABLE = 4;
export const PR_SET_KEEPCAPS = 8;
export const PR_SET_NAME = 15;
export const RLIMIT_CORE = 4;
export const RLIMIT_NOFILE = 7;
export const RLIM_INFINITY = 2n ** 64n - 1n;

export const prctl = native<(option: number, a: number, b: number, c: number, d: number) => number>(
  "int prctl(int option, uint64_t a, uint64_t b, uint64_t c, uint64_t d)",
);
/** `limits` is the address of two 64-bit words, soft and hard. */
export const setrlimit = native<(resource: number, limits: number) => number>(
  "int setrlimit(int resource, uint64_t limits)",
);
export const getrlimit = native<(resource: number, limits: number) => number>(
  "int getrlimit(int resource, uint64_t limits)",
);
export const schedSetaffinity = native<(pid: number, sizeBytes: number, mask: number) => number>(
  "int sched_setaffinity(int pid, size_t size, uint64_t mask)",
);
/** The address of a `struct passwd`, 0 without such a user. */
export const getpwnam = native<(name: string) => number | bigint>("uint64_t getpwnam(const char *name)");
/** The address of a `struct group`, 0 without such a group. */
export const getgrnam = native<(name: string) => number | bigint>("uint64_t getgrnam(const char *name)");
/** The groups of this process: those that the user is a member of, and `group`. */
export const initgroups = native<(user: string, group: number) => number>(
  "int initgroups(const char *user, uint32_t group)",
);
/** `header` is the address of a `struct __user_cap_header_struct`, `data` that of its two `__user_cap_data_struct`. */
export const capset = native<(header: number, data: number) => number>("int capset(uint64_t header, uint64_t data)");
export const CAP_NET_RAW = 13;
export const LINUX_CAPABILITY_VERSION_3 = 0x20080522;
/** Up to `size` random bytes to `address`; returns how many. */
export const getrandom = native<(address: number, size: number, flags: number) => number>(
  "long getrandom(uint64_t address, size_t size, uint32_t flags)",
);
