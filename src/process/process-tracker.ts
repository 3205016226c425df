/**
 * Counts the processes that a vrrp_track_process names. New ones are found by reading /proc now and then; the end of one is
 * heard at once, through its pidfd. keepalived's counterpart: track_process.c with the kernel's process connector, which
 * network namespaces and containers don't have.
 */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import type { VrrpTrackProcess } from "../conf/keepalived/config.ts";
import { watchExit } from "../os/process-exit.ts";

const SCAN_MS = 250;
/** A process this young may still become another program or take a title: it is looked at in every scan. 10 s. */
const YOUNG_SCANS = 40;
/** An older one in every so many, a few of them in each. */
const OLD_EVERY = 40;

/** A process as /proc shows it. */
export interface ProcessFacts {
  /** The kernel's name of it, 15 bytes at most. */
  readonly comm: string;
  readonly argv: readonly string[];
}

/** True when the rule means this process. A title like `nginx: worker process` counts as `nginx`. */
export function matchesProcess(rule: VrrpTrackProcess, { comm, argv }: ProcessFacts): boolean {
  const [program = ""] = argv;
  const isNamed = rule.fullCommand
    ? program === rule.process
    : comm === rule.process.slice(0, 15) ||
      path.basename(program) === path.basename(rule.process) ||
      program.startsWith(`${rule.process}: `);
  if (!isNamed) return false;
  const args = argv.slice(1);
  const { parameters, parameterMatch } = rule;
  if (parameterMatch === "any" && parameters.length === 0) return true;
  if (parameterMatch === "initial" || parameterMatch === "any")
    return parameters.every((parameter, i) => args[i] === parameter);
  if (parameterMatch === "exact")
    return args.length === parameters.length && parameters.every((parameter, i) => args[i] === parameter);
  const last = parameters.length - 1;
  return parameters.every((parameter, i) => (i === last ? args[i]?.startsWith(parameter) : args[i] === parameter));
}

/** Reads a process; undefined when it has ended or is a zombie. */
function readProcess(pid: string): ProcessFacts | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const end = stat.lastIndexOf(")");
    if (stat[end + 2] === "Z" || stat[end + 2] === "X") return undefined;
    const argv = readFileSync(`/proc/${pid}/cmdline`, "latin1").replace(/\0+$/, "").split("\0");
    return { comm: stat.slice(stat.indexOf("(") + 1, end), argv };
  } catch {
    return undefined;
  }
}

interface Known {
  /** Scans in which it was looked at. */
  scans: number;
  rules: readonly string[];
  watch: { close(): void } | undefined;
}

export class ProcessTracker {
  readonly #rules: readonly VrrpTrackProcess[];
  readonly #onCount: (name: string, running: number) => void;
  readonly #known = new Map<string, Known>();
  readonly #told = new Map<string, number>();
  readonly #delays = new Map<string, { readonly running: number; readonly timer: NodeJS.Timeout }>();
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #youngScans: number;
  #scans = 0;

  /** `scanMs`: how often new processes are looked for; `youngScans`: how often each is looked at before it is an old one. */
  constructor(
    rules: readonly VrrpTrackProcess[],
    onCount: (name: string, running: number) => void,
    scanMs = SCAN_MS,
    youngScans = YOUNG_SCANS,
  ) {
    this.#rules = rules;
    this.#onCount = onCount;
    this.#youngScans = youngScans;
    if (rules.length === 0) return;
    this.#scan();
    this.#timer = setInterval(() => this.#scan(), scanMs);
  }

  /** How many match, by rule. */
  get counts(): ReadonlyMap<string, number> {
    return this.#told;
  }

  #scan(): void {
    const present = new Set(readdirSync("/proc").filter((name) => name >= "0" && name <= "9~"));
    for (const pid of [...this.#known.keys()]) if (!present.has(pid)) this.#forget(pid);
    this.#scans++;
    for (const pid of present) {
      const known = this.#known.get(pid);
      if (known === undefined || known.rules.length > 0 || known.scans < this.#youngScans || this.#isTurnOf(pid))
        this.#look(pid, known);
    }
    this.#count();
  }

  #isTurnOf(pid: string): boolean {
    return (Number(pid) + this.#scans) % OLD_EVERY === 0;
  }

  #look(pid: string, known: Known | undefined): void {
    const facts = readProcess(pid);
    if (facts === undefined) {
      this.#forget(pid);
      return;
    }
    const rules = this.#rules.filter((rule) => matchesProcess(rule, facts)).map(({ name }) => name);
    const entry = known ?? { scans: 0, rules, watch: undefined };
    entry.scans++;
    entry.rules = rules;
    if (rules.length > 0 && entry.watch === undefined)
      entry.watch = watchExit(Number(pid), () => {
        this.#forget(pid);
        this.#count();
      });
    this.#known.set(pid, entry);
  }

  #forget(pid: string): void {
    this.#known.get(pid)?.watch?.close();
    this.#known.delete(pid);
  }

  #count(): void {
    for (const rule of this.#rules) {
      let running = 0;
      for (const { rules } of this.#known.values()) if (rules.includes(rule.name)) running++;
      this.#tell(rule, running);
    }
  }

  /** fork_delay and terminate_delay: a change counts only when it has lasted. */
  #tell(rule: VrrpTrackProcess, running: number): void {
    const told = this.#told.get(rule.name);
    const pending = this.#delays.get(rule.name);
    if (pending?.running === running) return;
    clearTimeout(pending?.timer);
    this.#delays.delete(rule.name);
    if (told === running) return;
    const delayMs = told === undefined ? 0 : running > told ? rule.forkDelayMs : rule.terminateDelayMs;
    const tell = (): void => {
      this.#delays.delete(rule.name);
      this.#told.set(rule.name, running);
      this.#onCount(rule.name, running);
    };
    if (delayMs === 0) tell();
    else this.#delays.set(rule.name, { running, timer: setTimeout(tell, delayMs) });
  }

  close(): void {
    clearInterval(this.#timer);
    for (const { timer } of this.#delays.values()) clearTimeout(timer);
    for (const pid of [...this.#known.keys()]) this.#forget(pid);
  }
}
