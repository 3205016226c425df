/**
 * `disable_symlinks`: files are opened step by step, so that no part of the path may be a symbolic link, or only one whose owner
 * owns what it leads to. A mere look at the path before it is opened would leave time to put a link there. Counterpart in
 * nginx: ngx_open_file_wrapper in ngx_open_file_cache.c.
 */
import type { Use } from "../conf/slot.ts";
import type { Template } from "../conf/template.ts";
import { emptyFileInfo, type Files, type OpenMode } from "../io/files.ts";
import type { Request } from "./request.ts";
import type { Text } from "./variables.ts";

/** The directive. */
export interface SymlinkSettings {
  readonly mode: "off" | "on" | "if_not_owner";
  readonly from: Template | undefined;
}

/** Reads `off`, or `on | if_not_owner [from=part]`; undefined after a complaint. */
export function parseSymlinks(use: Use): SymlinkSettings | undefined {
  let mode: SymlinkSettings["mode"] | undefined;
  let from: Template | undefined;
  for (const word of use.args) {
    if (word === "off" || word === "on" || word === "if_not_owner") mode = word;
    else if (word.startsWith("from=")) {
      from = use.template(word.slice("from=".length));
      if (from === undefined) return undefined;
    } else return use.fail(`invalid parameter "${word}"`);
  }
  if (mode === undefined) return use.fail(`"${use.name}" must have "off", "on" or "if_not_owner" parameter`);
  if (use.args.length === 2 && from === undefined)
    return use.fail(`duplicate parameters "${use.args[0]} ${use.args[1]}"`);
  if (mode === "off" && from !== undefined) return use.fail('"from=" cannot be used with "off" parameter');
  return { mode, from };
}

/** What a location says. */
export interface SymlinkRule {
  /** Links are followed whose owner owns what they lead to. */
  readonly ofOwner: boolean;
  /** The part of a path that may have links. */
  readonly from: Text | undefined;
}

/** How one path is opened. */
export interface LinkCheck {
  readonly ofOwner: boolean;
  /** So many characters of the path may have links. */
  readonly free: number;
}

/** How a request may open a path; undefined when links are of no interest. */
export function linkCheckOf(request: Request, path: string): LinkCheck | undefined {
  const rule = request.location.symlinks;
  if (rule === undefined) return undefined;
  const { ofOwner } = rule;
  const from = rule.from?.(request) ?? "";
  if (from === "" || !path.startsWith(from)) return { ofOwner, free: 0 };
  if (from.length === path.length) return undefined;
  if (path.charAt(from.length) === "/") return { ofOwner, free: from.length };
  return { ofOwner, free: from.endsWith("/") ? from.length - 1 : 0 };
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
