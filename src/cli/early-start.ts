/**
 * How many workers are worth starting before the configuration is read: a node process takes longer to come up than a
 * configuration to load. A guess from the text of the main file; a wrong one costs time, nothing else.
 */
import { readFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import type { Layout } from "../process/nginx-configuration.ts";
import { isDaemonChild } from "./daemon.ts";
import type { NginxOptions } from "./nginx-options.ts";

const DAEMON_OFF = /\bdaemon\s+off\s*;/;
const WORKER_PROCESSES = /^\s*worker_processes\s+(\w+)\s*;/m;

/** Workers to start early; 0 when this process will hardly be a master itself: `-t`, `-s`, or the one that makes a daemon. */
export function earlyWorkers({ testConfiguration, signal, globalDirectives }: NginxOptions, layout: Layout): number {
  if (testConfiguration || signal !== undefined) return 0;
  const text = `${globalDirectives}\n${mainFile(layout)}`;
  return isDaemonChild() || DAEMON_OFF.test(text) ? workersOf(text) : 0;
}

/** The same for a program that is the master in any case. */
export function earlyWorkersInForeground(globalDirectives: string, layout: Layout): number {
  return workersOf(`${globalDirectives}\n${mainFile(layout)}`);
}

function workersOf(text: string): number {
  const [, written = "1"] = WORKER_PROCESSES.exec(text) ?? [];
  const processors = os.availableParallelism();
  // More at once than there are processors would only get in each other's way.
  return written === "auto" ? processors : Math.min(processors, Math.max(1, Number(written) || 1));
}

function mainFile({ prefix, confPath }: Layout): string {
  try {
    return readFileSync(Buffer.from(path.resolve(prefix, confPath), "latin1"), "latin1");
  } catch {
    return "";
  }
}
