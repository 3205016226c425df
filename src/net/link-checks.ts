/**
 * Opens a path step by step, so that no part of it may be a symbolic link, or only one whose owner owns what it leads to. A mere
 * look at the path before it is opened would leave time to put a link there. Counterpart in nginx: ngx_open_file_wrapper in
 * ngx_open_file_cache.c.
 */
import { emptyFileInfo, type Files, type OpenMode } from "../io/files.ts";

/** How one path is opened. */
export interface LinkCheck {
  readonly ofOwner: boolean;
  /** So many characters of the path may have links. */
  readonly free: number;
}

/** True when a path that was opened in one way would be opened just so in the other. */
export function isSameCheck(a: LinkCheck | undefined, b: LinkCheck | undefined): boolean {
  return a?.ofOwner === b?.ofOwner && a?.free === b?.free;
}

/** A descriptor or -errno, and the call that failed. */
export interface Opened {
  readonly fd: number;
  readonly call: "open()" | "openat()";
}

/** -1 stands for the working directory. */
const HERE = -1;
const ELOOP = 40;

/** What it takes to open a path step by step. */
export type StepByStep = Pick<Files, "openAt" | "statAt" | "statFd" | "close">;

/** Opens a path without following links that it may not. */
export function openChecked(files: StepByStep, path: string, { ofOwner, free }: LinkCheck, mode: OpenMode): Opened {
  let directory = HERE;
  let at = 0;
  if (free > 0 || path.startsWith("/")) {
    directory = files.openAt(HERE, free > 0 ? path.slice(0, free) : "/", "search", true);
    if (directory < 0) return { fd: directory, call: free > 0 ? "open()" : "openat()" };
    at = free + 1;
  }
  const step = (name: string, how: OpenMode): number => {
    const fd =
      ofOwner && how !== "append"
        ? openOfOwner(files, directory, name, how)
        : files.openAt(directory, name, how, false);
    if (directory !== HERE) files.close(directory);
    directory = HERE;
    return fd;
  };
  for (let slash = path.indexOf("/", at); slash >= 0; slash = path.indexOf("/", at)) {
    if (slash > at) {
      directory = step(path.slice(at, slash), "search");
      if (directory < 0) return { fd: directory, call: "openat()" };
    }
    at = slash + 1;
  }
  // A slash at the end stands for the directory itself.
  return { fd: step(at === path.length ? "." : path.slice(at), mode), call: "openat()" };
}

/**
 * What was opened may have been a link, or not yet or no longer one: whatever stands there now must have the owner of what
 * was opened.
 */
function openOfOwner(files: StepByStep, directory: number, name: string, mode: OpenMode): number {
  const fd = files.openAt(directory, name, mode, true);
  if (fd < 0) return fd;
  const info = emptyFileInfo();
  let result = files.statAt(directory, name, info);
  if (result >= 0) {
    const { ownerId } = info;
    result = files.statFd(fd, info);
    if (result >= 0 && info.ownerId !== ownerId) result = -ELOOP;
  }
  if (result >= 0) return fd;
  files.close(fd);
  return result;
}
