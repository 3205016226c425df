/** Folders that workers put temporary files into: made by the master and given to the workers' user. nginx: ngx_create_paths. */
import { chmodSync, chownSync, mkdirSync, statSync } from "node:fs";
import { printErrno } from "../os/errno.ts";
import type { WorkerUser } from "./nginx-configuration.ts";

const OWNER_ALL = 0o700;

function errnoOf(error: unknown): number {
  return -((error as { errno?: number }).errno ?? 0);
}

/** Makes sure that a folder exists. Undefined, or the sentence why it can't be used. */
export function makeTemporaryFolder(folder: string, user: WorkerUser | undefined): string | undefined {
  const path = Buffer.from(folder, "latin1");
  let call = `mkdir() "${folder}"`;
  try {
    try {
      mkdirSync(path, OWNER_ALL);
    } catch (error) {
      if ((error as { code?: string }).code !== "EEXIST") throw error;
    }
    if (user === undefined || process.geteuid?.() !== 0) return undefined;
    call = `stat() "${folder}"`;
    const { uid, gid, mode } = statSync(path);
    call = `chown("${folder}", ${user.userId})`;
    if (uid !== user.userId) chownSync(path, user.userId, gid);
    call = `chmod() "${folder}"`;
    if ((mode & OWNER_ALL) !== OWNER_ALL) chmodSync(path, (mode & 0o7777) | OWNER_ALL);
    return undefined;
  } catch (error) {
    return `${call} failed ${printErrno(errnoOf(error))}`;
  }
}
