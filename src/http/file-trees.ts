/**
 * Folders with all that is in them: walked, deleted and copied. Counterpart in nginx: ngx_walk_tree and what
 * ngx_http_dav_module.c does with it. The depth of a tree is bounded by the length of a path, which the kernel bounds.
 */
import { emptyFileInfo, type FileInfo } from "../io/files.ts";
import type { Connection } from "./connection.ts";
import { copyFile, folderMode } from "./file-moves.ts";

const ENOENT = 2;
const EPERM = 1;
const EACCES = 13;
const EEXIST = 17;
const ENOTDIR = 20;
const ENOSPC = 28;
const ENAMETOOLONG = 36;

/** Logs a failed call; the status for it, `notFound` where something is missing. */
export function fileFailure(
  connection: Connection,
  call: string,
  path: string,
  errno: number,
  notFound: number,
): number {
  const [level, status] = judge(errno, notFound);
  connection.logError(level, `${call} "${path}" failed`, errno);
  return status;
}

function judge(errno: number, notFound: number): readonly ["error" | "crit", number] {
  switch (errno) {
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
      return ["error", notFound];
    case EACCES:
    case EPERM:
      return ["error", 403];
    case EEXIST:
      return ["error", 405];
    case ENOSPC:
      return ["crit", 507];
    default:
      return ["crit", 500];
  }
}

/** What is done on a walk; paths are whole. */
interface Visitor {
  /** Links stand for what they lead to. The kernel follows 40 in a path, which ends loops. */
  readonly followsLinks: boolean;
  file(path: string, info: FileInfo): void;
  /** A folder, before and behind what is in it. */
  enter?(path: string, info: FileInfo): void;
  leave(path: string, info: FileInfo): void;
  /** Links that aren't followed, sockets and the like. */
  special?(path: string): void;
}

/** Visits everything below a folder. False when it can't be opened; a folder further down that can't is skipped. */
function walk(connection: Connection, folder: string, visitor: Visitor): boolean {
  const { files } = connection.worker.ports;
  const entries = files.list(folder);
  if (typeof entries === "number") {
    connection.logError("crit", `opendir() "${folder}" failed`, -entries);
    return false;
  }
  const prefix = folder.endsWith("/") ? folder : `${folder}/`;
  const info = emptyFileInfo();
  for (const { name } of entries) {
    const path = prefix + name;
    const result = visitor.followsLinks ? files.stat(path, info) : files.statLink(path, info);
    if (result < 0) connection.logError("crit", `stat() "${path}" failed`, -result);
    else if (info.isFile) visitor.file(path, info);
    else if (info.isDirectory) {
      visitor.enter?.(path, info);
      walk(connection, path, visitor);
      visitor.leave(path, info);
    } else visitor.special?.(path);
  }
  return true;
}

/**
 * Deletes a file, or a folder with everything in it. 0, or the status to answer. Of a link the link is deleted: nginx follows it,
 * empties the folder that it leads to, and fails then.
 */
export function deleteTree(connection: Connection, path: string, isFolder: boolean): number {
  const { files } = connection.worker.ports;
  const unlink = (file: string): void => {
    const result = files.unlink(file);
    if (result < 0) fileFailure(connection, "unlink()", file, -result, 0);
  };
  const leave = (folder: string): void => {
    const result = files.removeFolder(folder);
    if (result < 0) fileFailure(connection, "rmdir()", folder, -result, 0);
  };
  if (isFolder && !walk(connection, path, { followsLinks: false, file: unlink, special: unlink, leave })) return 500;
  const result = isFolder ? files.removeFolder(path) : files.unlink(path);
  return result === 0 ? 0 : fileFailure(connection, isFolder ? "rmdir()" : "unlink()", path, -result, 404);
}

/**
 * Copies everything below one folder into another, which is there already, with modes and times. What can't be copied is logged
 * and left out; of links the files and folders that they lead to are copied. False when the folder can't be opened.
 */
export function copyTree(connection: Connection, from: string, to: string): boolean {
  const { files } = connection.worker.ports;
  const prefixLength = from.endsWith("/") ? from.length - 1 : from.length;
  const target = (path: string): string => to + path.slice(prefixLength);
  return walk(connection, from, {
    followsLinks: true,
    file: (path, { sizeBytes, mode, mtimeS }) => {
      copyFile(connection, path, target(path), { sizeBytes, mode, modifiedS: mtimeS });
    },
    enter: (path, { mode }) => {
      const result = files.makeFolder(target(path), folderMode(mode));
      if (result < 0) fileFailure(connection, "mkdir()", target(path), -result, 0);
    },
    leave: (path, { mtimeS }) => {
      const result = files.changeTimeOf(target(path), mtimeS);
      if (result < 0) connection.logError("alert", `utimes() "${target(path)}" failed`, -result);
    },
  });
}
