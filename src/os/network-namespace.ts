/** Network namespaces by name, as `ip netns` keeps them. keepalived's counterpart: namespaces.c. */
import { closeSync, openSync } from "node:fs";
import { errorText } from "./errno.ts";
import { dup2 } from "./ffi/files.ts";
import { CLONE_NEWNET, dup, execve, setns } from "./ffi/namespaces.ts";
import { errno } from "./ffi/native.ts";

const FOLDER = "/run/netns";
/** The namespace of this thread, which is that of what it starts. */
const OWN = "/proc/thread-self/ns/net";

/** Where a namespace is. */
export function namespacePath(name: string): string {
  return `${FOLDER}/${name}`;
}

/** Puts this thread into the namespace at `path`; what went wrong otherwise. */
export function enterNamespace(path: string): string | undefined {
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch (error) {
    return `Failed to open ${path}: ${(error as NodeJS.ErrnoException).code ?? ""}`;
  }
  const result = setns(fd, CLONE_NEWNET) === 0 ? 0 : errno();
  closeSync(fd);
  return result === 0 ? undefined : `Failed to enter ${path}: ${errorText(result)}`;
}

/** Lets `body`, which must not wait for anything, open its sockets in the namespace at `path`; undefined: where it is. Throws when there is none. */
export function inNamespace<T>(path: string | undefined, body: () => T): T {
  if (path === undefined) return body();
  const back = openSync(OWN, "r");
  try {
    const failure = enterNamespace(path);
    if (failure !== undefined) throw new Error(failure);
    try {
      return body();
    } finally {
      leave(back, path);
    }
  } finally {
    closeSync(back);
  }
}

/** There is no going on in a namespace that is not the program's. */
function leave(back: number, path: string): void {
  if (setns(back, CLONE_NEWNET) !== 0) throw new Error(`cannot leave ${path}: ${errorText(errno())}`);
}

/** A descriptor of this thread's namespace that outlives `restartProgram`. */
export function holdNamespace(): number {
  const fd = openSync(OWN, "r");
  const held = dup(fd);
  closeSync(fd);
  return held;
}

/**
 * Begins this program anew, as the same process, in the namespace of this thread: node's other threads have stayed in the old one.
 * Returns only when it has failed, with why.
 */
export function restartProgram(variables: Readonly<Record<string, string>>): string {
  const environment = Object.entries({ ...process.env, ...variables }).map(([name, value]) => `${name}=${value}`);
  // node has marked them as its own alone.
  for (const fd of [0, 1, 2]) {
    const copy = dup(fd);
    if (copy < 0) continue;
    dup2(copy, fd);
    closeSync(copy);
  }
  const words = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  execve(process.execPath, [...words, null], [...environment, null]);
  return errorText(errno());
}
