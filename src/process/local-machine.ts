/** This node as a keepalived.conf is checked against it: interfaces, accounts, scripts. */
import { accessSync, constants, readFileSync, type Stats, statSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import type { Machine, ScriptState } from "../conf/keepalived/machine.ts";
import type { Link } from "../io/routing.ts";
import { findGroup, findUser } from "../os/accounts.ts";
import { openRouting } from "../os/routing.ts";

const EXECUTE = 0o1;
const GROUP_WRITE = 0o020;
const OTHER_WRITE = 0o002;

/** Asks the kernel anew with every call, except for the links, which are read once. */
export class LocalMachine implements Machine {
  readonly cpuCount = os.cpus().length;
  #links: Map<string, Link> | undefined;

  interfaceState(name: string): "absent" | "loopback" | "present" {
    this.#links ??= readLinks();
    const link = this.#links.get(name);
    if (link === undefined) return "absent";
    return link.isLoopback ? "loopback" : "present";
  }

  virtualLinkKind(name: string): "macvlan" | "ipvlan" | undefined {
    this.#links ??= readLinks();
    const kind = this.#links.get(name)?.kind;
    return kind === "macvlan" || kind === "ipvlan" ? kind : undefined;
  }

  hasUser(name: string): boolean {
    return /^\d+$/.test(name) || findUser(name) !== undefined;
  }

  hasGroup(name: string): boolean {
    return /^\d+$/.test(name) || findGroup(name) !== undefined;
  }

  isOpenToOthers(file: string): boolean {
    const mode = statSync(file, { throwIfNoEntry: false })?.mode ?? 0;
    return (mode & 0o077) !== 0;
  }

  scriptState(script: string, user: string): ScriptState {
    const file = script.includes("/") ? script : findInPath(script);
    if (file === undefined) return "missing";
    let stats: Stats;
    try {
      stats = statSync(file);
    } catch {
      return "missing";
    }
    const account = findUser(user);
    const isRoot = (account?.userId ?? 0) === 0;
    if (!stats.isFile() || (isRoot && !isSafe(file))) return "insecure";
    return isExecutable(stats, account?.userId ?? 0, account?.groupId ?? 0) ? "ok" : "not-executable";
  }
}

function readLinks(): Map<string, Link> {
  const routing = openRouting();
  try {
    return new Map(routing.links().map((link) => [link.name, link]));
  } finally {
    routing.close();
  }
}

function findInPath(name: string): string | undefined {
  for (const folder of (process.env["PATH"] ?? "/usr/bin:/bin").split(":")) {
    const file = path.join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}

/** Nobody but root may write the file or a folder on its way: keepalived's rule for scripts that root runs. */
function isSafe(file: string): boolean {
  for (let at = path.resolve(file); ; at = path.dirname(at)) {
    const stats = statSync(at);
    const isGroupOpen = (stats.mode & GROUP_WRITE) !== 0 && stats.gid !== 0;
    const isOpen = (stats.mode & OTHER_WRITE) !== 0;
    if (stats.uid !== 0 || isGroupOpen || isOpen) return false;
    if (at === "/") return true;
  }
}

function isExecutable({ mode, uid, gid }: Stats, userId: number, groupId: number): boolean {
  if (userId === 0) return (mode & 0o111) !== 0;
  if (userId === uid) return (mode & (EXECUTE << 6)) !== 0;
  if (groupId === gid) return (mode & (EXECUTE << 3)) !== 0;
  return (mode & EXECUTE) !== 0;
}

/** The short host name, keepalived's default for `-i`. */
export function shortHostName(): string {
  return os.hostname().split(".")[0] as string;
}

/** Of the kernel that runs: for the first lines of a log. */
export function kernelVersion(): string {
  try {
    return `${os.type()} ${os.release()} ${readFileSync("/proc/sys/kernel/version", "latin1").trim()}`;
  } catch {
    return `${os.type()} ${os.release()}`;
  }
}
