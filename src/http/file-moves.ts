/**
 * Files that become others': moved, across file systems by a copy, and copied. Failures are logged where they happen, in
 * nginx's words. Counterpart in nginx: ngx_ext_rename_file, ngx_copy_file and ngx_create_full_path of ngx_file.c.
 */
import type { Use } from "../conf/slot.ts";
import { emptyFileInfo } from "../io/files.ts";
import type { Connection } from "./connection.ts";

const ENOENT = 2;
const EACCES = 13;
const EEXIST = 17;
const EXDEV = 18;
const NAME_DIGITS = 10;

/** `user:rw group:r`: who may do what, as the mode of a file. nginx: ngx_conf_set_access_slot. */
export function parseAccess(use: Use): number | undefined {
  let mode = 0;
  let user = 0o600;
  for (const word of use.args) {
    const match = /^(user|group|all):(rw|r)$/.exec(word);
    if (match === null) return use.fail(`invalid value "${word}"`);
    const [, who, rights] = match;
    if (who === "user") user = 0;
    mode |= (rights === "rw" ? 6 : 4) << (who === "user" ? 6 : who === "group" ? 3 : 0);
  }
  return mode | user;
}

/** A folder may be entered by whom its files may be read by. */
export function folderMode(mode: number): number {
  return mode | ((mode & 0o444) >> 2);
}

/** What a copy shall be like. */
export interface CopyRules {
  readonly sizeBytes: number;
  readonly mode: number;
  /** Seconds since 1970. */
  readonly modifiedS: number;
}

/** Makes or overwrites a file with the beginning of another. False when that failed. */
export function copyFile(connection: Connection, from: string, to: string, rules: CopyRules): boolean {
  const { files } = connection.worker.ports;
  const source = files.open(from);
  if (source < 0) {
    connection.logError("crit", `open() "${from}" failed`, -source);
    return false;
  }
  const isCopied = copyOpen(connection, { fd: source, path: from }, to, rules);
  files.close(source);
  return isCopied;
}

interface Source {
  readonly fd: number;
  readonly path: string;
}

function copyOpen(connection: Connection, source: Source, to: string, rules: CopyRules): boolean {
  const { files } = connection.worker.ports;
  const target = files.openEmptied(to, rules.mode);
  if (target < 0) {
    connection.logError("crit", `open() "${to}" failed`, -target);
    return false;
  }
  let isCopied = copyBytes(connection, source, { fd: target, path: to }, rules.sizeBytes);
  const errno = isCopied ? -files.changeTime(target, rules.modifiedS) : 0;
  if (errno !== 0) {
    connection.logError("alert", `utimes() "${to}" failed`, errno);
    isCopied = false;
  }
  files.close(target);
  return isCopied;
}

function copyBytes(connection: Connection, from: Source, to: Source, sizeBytes: number): boolean {
  const { files } = connection.worker.ports;
  const { memory, size: room } = connection.worker.scratch;
  const fail = (message: string, errno?: number): false => {
    connection.logError("alert", message, errno);
    return false;
  };
  for (let at = 0; at < sizeBytes; ) {
    const left = sizeBytes - at;
    const size = Math.min(room, left);
    const read = files.read(from.fd, memory, 0, size, at);
    if (read < 0) return fail(`read() "${from.path}" failed`, -read);
    if (read !== size) return fail(`read() has read only ${read} of ${left} from ${from.path}`);
    const written = files.write(to.fd, memory, 0, size);
    if (written < 0) return fail(`write() "${to.path}" failed`, -written);
    if (written !== size) return fail(`write() has written only ${written} of ${left} to ${to.path}`);
    at += size;
  }
  return true;
}

/** How a file is moved. */
export interface MoveRules {
  /** The open file, for its mode and time; -1 when neither changes. */
  readonly fd: number;
  /** Its mode; 0 leaves it as it is. */
  readonly mode: number;
  /** When it was modified, in seconds since 1970; -1 leaves it as it is. */
  readonly modifiedS: number;
  /** The mode of folders that are made on the way; undefined: none are made. */
  readonly folderMode: number | undefined;
  /** A file that can't be moved is deleted. */
  readonly deletes: boolean;
}

/** Gives a file another name, in another file system if need be. False when that failed. nginx: ngx_ext_rename_file. */
export function moveFile(connection: Connection, from: string, to: string, rules: MoveRules): boolean {
  const isMoved = dress(connection, from, rules) && rename(connection, from, to, rules);
  if (!isMoved && rules.deletes) deleteFile(connection, from);
  return isMoved;
}

/** Gives it the mode and the time that it shall have. */
function dress(connection: Connection, path: string, { fd, mode, modifiedS }: MoveRules): boolean {
  const { files } = connection.worker.ports;
  const chmod = mode === 0 ? 0 : files.changeMode(fd, mode);
  if (chmod < 0) connection.logError("crit", `chmod() "${path}" failed`, -chmod);
  const utimes = chmod < 0 || modifiedS === -1 ? 0 : files.changeTime(fd, modifiedS);
  if (utimes < 0) connection.logError("crit", `utimes() "${path}" failed`, -utimes);
  return chmod === 0 && utimes === 0;
}

function rename(connection: Connection, from: string, to: string, rules: MoveRules): boolean {
  const { files } = connection.worker.ports;
  let result = files.rename(from, to);
  if (result === -ENOENT && rules.folderMode !== undefined) {
    const errno = makeParents(connection, to, rules.folderMode);
    if (errno !== 0) {
      connection.logError("crit", `mkdir() "${to}" failed`, errno);
      return false;
    }
    result = files.rename(from, to);
  }
  if (result === -EXDEV) return moveAcross(connection, from, to, rules);
  if (result < 0) connection.logError("crit", `rename() "${from}" to "${to}" failed`, -result);
  return result === 0;
}

/** Makes every folder on the way to a path. 0 or errno; one that may not be looked into may be there all the same. */
function makeParents(connection: Connection, path: string, mode: number): number {
  const { files } = connection.worker.ports;
  let errno = 0;
  for (let slash = path.indexOf("/", 1); slash > 0; slash = path.indexOf("/", slash + 1)) {
    errno = -files.makeFolder(path.slice(0, slash), mode);
    if (errno === EEXIST) errno = 0;
    if (errno !== 0 && errno !== EACCES) return errno;
  }
  return errno;
}

/** To another file system: a copy is made beside its place first, so that nobody sees half a file. */
function moveAcross(connection: Connection, from: string, to: string, rules: MoveRules): boolean {
  const { worker } = connection;
  const { files } = worker.ports;
  const info = emptyFileInfo();
  const known = files.stat(from, info);
  if (known < 0) {
    connection.logError("crit", `open() "${from}" failed`, -known);
    return false;
  }
  const beside = `${to}.${String(worker.temporary()).padStart(NAME_DIGITS, "0")}`;
  const mode = rules.mode === 0 ? info.mode : rules.mode;
  const modifiedS = rules.modifiedS === -1 ? info.mtimeS : rules.modifiedS;
  if (!copyFile(connection, from, beside, { sizeBytes: info.sizeBytes, mode, modifiedS })) return false;
  const result = files.rename(beside, to);
  if (result === 0) return deleteFile(connection, from);
  connection.logError("crit", `rename() "${beside}" to "${to}" failed`, -result);
  deleteFile(connection, beside);
  return false;
}

function deleteFile(connection: Connection, path: string): boolean {
  const result = connection.worker.ports.files.unlink(path);
  if (result < 0) connection.logError("crit", `unlink() "${path}" failed`, -result);
  return result === 0;
}
