/** The pid file. nginx: ngx_create_pidfile, ngx_delete_pidfile. */
import { accessSync, constants, existsSync, readFileSync, renameSync, unlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { printErrno } from "../os/errno.ts";

/** What nginx appends to the name while a new binary runs beside the old one. */
export const OLD_SUFFIX = ".oldbin";

/** The sentence for a failed call of node:fs, in nginx's form. */
function sentence(call: string, file: string, error: unknown): string {
  return `${call} "${file}" failed ${printErrno(-((error as { errno?: number }).errno ?? 0))}`;
}

/** Writes the pid and a newline; undefined, or the sentence why not. */
export function writePidFile(file: string, pid: number): string | undefined {
  try {
    writeFileSync(file, `${pid}\n`, { mode: 0o644 });
    return undefined;
  } catch (error) {
    return sentence("open()", file, error);
  }
}

/** Whether it could be written, without writing it; undefined, or the sentence why not. */
export function checkPidFile(file: string): string | undefined {
  try {
    accessSync(existsSync(file) ? file : path.dirname(file), constants.W_OK);
    return undefined;
  } catch (error) {
    return sentence("open()", file, error);
  }
}

/** Undefined, or the sentence why it couldn't be deleted. */
export function deletePidFile(file: string): string | undefined {
  try {
    unlinkSync(file);
    return undefined;
  } catch (error) {
    return sentence("unlink()", file, error);
  }
}

/** Undefined, or the sentence why it couldn't be renamed. */
export function renamePidFile(from: string, to: string): string | undefined {
  try {
    renameSync(from, to);
    return undefined;
  } catch (error) {
    return `rename() ${from} to ${to} failed ${printErrno(-((error as { errno?: number }).errno ?? 0))}`;
  }
}

/** The pid that a file holds, or the sentence that nginx prints when it holds none. */
export function readPidFile(file: string): number | string {
  let text: string;
  try {
    text = readFileSync(file, "latin1");
  } catch (error) {
    return sentence("open()", file, error);
  }
  const digits = text.replace(/[\r\n]+$/, "");
  return /^\d{1,10}$/.test(digits) ? Number(digits) : `invalid PID number "${digits}" in "${file}"`;
}
