/** The processes of a node, from /proc: which part of the system under test each one is, in Tandem and in the originals. */
import { readdirSync, readFileSync } from "node:fs";
import type { Part } from "./protocol.ts";

export interface ProcessInfo {
  readonly pid: number;
  readonly parent: number;
  /** Arguments, joined with spaces: what `ps` shows, with the title that a program gives itself. */
  readonly commandLine: string;
}

/** All processes of this pid namespace that are alive. */
export function listProcesses(): readonly ProcessInfo[] {
  const processes: ProcessInfo[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const info = readProcess(Number(name));
    if (info !== undefined) processes.push(info);
  }
  return processes;
}

/** undefined when the process has ended, or is a zombie. */
function readProcess(pid: number): ProcessInfo | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (state === "Z" || state === "X") return undefined;
    const commandLine = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
    return { pid, parent: Number(parent), commandLine };
  } catch {
    return undefined; // it has ended since the directory was read
  }
}

/** The processes of a part among `all`; `spare` are pids that belong to the lab itself. */
export function processesOf(
  part: Part,
  all: readonly ProcessInfo[],
  spare: ReadonlySet<number>,
): readonly ProcessInfo[] {
  return all.filter((process) => !spare.has(process.pid) && belongsTo(process, part, all));
}

function belongsTo(process: ProcessInfo, part: Part, all: readonly ProcessInfo[]): boolean {
  const { commandLine } = process;
  switch (part) {
    case "all":
      return true;
    case "http":
      return /^nginx: (master|worker|cache) /.test(commandLine);
    case "http-with-spares":
      return /^nginx: (master|worker|spare|cache) /.test(commandLine);
    case "http-workers":
      return /^nginx: worker /.test(commandLine);
    case "vrrp":
      return commandLine.startsWith("keepalived: vrrp ") || isKeepalivedChild(process, all);
  }
}

/** keepalived's VRRP process has the command line of its parent. */
function isKeepalivedChild(process: ProcessInfo, all: readonly ProcessInfo[]): boolean {
  const isKeepalived = ({ commandLine }: ProcessInfo): boolean => /^\S*\bkeepalived( |$)/.test(commandLine);
  return isKeepalived(process) && all.some((other) => other.pid === process.parent && isKeepalived(other));
}
