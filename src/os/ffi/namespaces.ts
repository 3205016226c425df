/** setns(2), dup(2), execve(2): entering namespaces, and going on in another program image. */
import { native } from "./native.ts";

/** The network namespace of this thread. */
export const CLONE_NEWNET = 0x4000_0000;

export const setns = native<(fd: number, type: number) => number>("int setns(int fd, int type)");
/** A descriptor for the same, which outlives execve(2). */
export const dup = native<(fd: number) => number>("int dup(int fd)");
/** Lists end with null. Returns only when it has failed. */
export const execve = native<
  (path: string, words: readonly (string | null)[], environment: readonly (string | null)[]) => number
>("int execve(const char *path, const char **words, const char **environment)");
