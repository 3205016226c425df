/** The programs of a node: started in sessions of their own, heard line by line, signalled by name or by part. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { listProcesses, type ProcessInfo, processesOf } from "./processes.ts";
import type { AgentEvent, Part, SpawnSettings } from "./protocol.ts";
import { nowMs } from "./time.ts";

/** How often a suppressed part is looked for. */
const SUPPRESS_EVERY_MS = 5;
/** A process that forks while it is being stopped is found on one of the next rounds. */
const STOP_ROUNDS = 3;

export class Programs {
  readonly #tell: (event: AgentEvent) => void;
  readonly #running = new Map<string, ChildProcess>();
  #suppressing: NodeJS.Timeout | undefined;

  constructor(tell: (event: AgentEvent) => void) {
    this.#tell = tell;
  }

  /** Throws when the program can't be started. */
  async start(settings: SpawnSettings): Promise<{ pid: number }> {
    const [file, ...args] = settings.argv;
    if (file === undefined) throw new Error("no program to start");
    const child = spawn(file, args, { detached: true, stdio: ["ignore", "pipe", "pipe"], env: settings.env });
    await new Promise<void>((resolve, reject) => {
      child.once("spawn", resolve);
      child.once("error", reject);
    });
    this.#running.set(settings.name, child);
    for (const stream of [child.stdout, child.stderr])
      createInterface({ input: stream }).on("line", (line) =>
        this.#tell({ event: "output", name: settings.name, line, atMs: nowMs() }),
      );
    child.on("exit", (status, signal) => {
      if (this.#running.get(settings.name) === child) this.#running.delete(settings.name);
      this.#tell({ event: "exit", name: settings.name, status: signal ?? `status ${status}`, atMs: nowMs() });
    });
    return { pid: child.pid as number };
  }

  /** False when no such program runs. */
  signal(name: string, signal: NodeJS.Signals): boolean {
    return this.#running.get(name)?.kill(signal) ?? false;
  }

  /** How many processes were signalled. */
  signalPart(part: Part, signal: NodeJS.Signals): number {
    const rounds = part === "all" && (signal === "SIGSTOP" || signal === "SIGKILL") ? STOP_ROUNDS : 1;
    const reached = new Set<number>();
    for (let round = 0; round < rounds; round++)
      for (const { pid } of this.find(part)) {
        if (reached.has(pid)) continue;
        reached.add(pid);
        sendSignal(pid, signal);
      }
    return reached.size;
  }

  /** Kills whatever belongs to the part, again and again; undefined ends that. */
  suppress(part: Part | undefined): void {
    clearInterval(this.#suppressing);
    if (part === undefined) return;
    const kill = (): void => {
      this.signalPart(part, "SIGKILL");
    };
    kill();
    this.#suppressing = setInterval(kill, SUPPRESS_EVERY_MS);
  }

  /**
   * All processes, as pid and command line. A program that was started here counts until its end has been told: whoever sees that nothing
   * is left may start it again.
   */
  list(): readonly string[] {
    const found = this.find("all");
    const ending = [...this.#running].filter(([, { pid }]) => found.every((process) => process.pid !== pid));
    return [
      ...found.map(({ pid, commandLine }) => `${pid} ${commandLine}`),
      ...ending.map(([name, { pid }]) => `${pid} ${name} (ending)`),
    ];
  }

  /** The processes of a part, without the lab's own. */
  find(part: Part): readonly ProcessInfo[] {
    return processesOf(part, listProcesses(), new Set([1, process.pid, process.ppid]));
  }
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // it has ended by itself
  }
}
