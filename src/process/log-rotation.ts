/** Log files in the master's hands: created, and given to the workers' user, who shall be able to reopen them. */
import { chmodSync, chownSync, closeSync, openSync, statSync } from "node:fs";
import { printErrno } from "../os/errno.ts";
import type { WorkerUser } from "./nginx-configuration.ts";

const OWNER_READ_WRITE = 0o600;

/** Makes sure that a file exists. Undefined, or the sentence why it can't be opened. */
export function createLogFile(file: string): string | undefined {
  try {
    closeSync(openSync(Buffer.from(file, "latin1"), "a", 0o644));
    return undefined;
  } catch (error) {
    return `open() "${file}" failed ${printErrno(-((error as { errno?: number }).errno ?? 0))}`;
  }
}

/** Creates a file that has been rotated away and gives it to the workers' user. Undefined, or the sentence why not. */
export function renewLogFile(file: string, user: WorkerUser | undefined): string | undefined {
  const failure = createLogFile(file);
  if (failure !== undefined || user === undefined) return failure;
  const path = Buffer.from(file, "latin1");
  let call = `chown("${file}", ${user.userId})`;
  try {
    const { uid, gid, mode } = statSync(path);
    if (uid !== user.userId) chownSync(path, user.userId, gid);
    call = `chmod() "${file}"`;
    if ((mode & OWNER_READ_WRITE) !== OWNER_READ_WRITE) chmodSync(path, (mode & 0o7777) | OWNER_READ_WRITE);
    return undefined;
  } catch (error) {
    return `${call} failed ${printErrno(-((error as { errno?: number }).errno ?? 0))}`;
  }
}
