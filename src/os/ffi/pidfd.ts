/** pidfd_open(2) and mkfifo(3). glibc wraps pidfd_open only since 2.36: the system call is made by its number. */
import { native } from "./native.ts";

/** The same number on every architecture. */
const SYS_PIDFD_OPEN = 434;

const syscall = native<(number: number, a: number, b: number) => number>("long syscall(long number, long a, long b)");

/** A descriptor that becomes readable when the process ends, or a negative number (errno is set). */
export function pidfdOpen(pid: number): number {
  return Number(syscall(SYS_PIDFD_OPEN, pid, 0));
}

export const mkfifo = native<(path: string, mode: number) => number>("int mkfifo(const char *path, uint32_t mode)");
