/** An agent as the lab sees it: starts one in fresh namespaces, calls it, hears its events. */
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { AgentCalls, AgentEvent, AgentMessage } from "./protocol.ts";

const AGENT = fileURLToPath(new URL("./agent.js", import.meta.url));
/** An agent that does not answer within this time is broken. */
const CALL_TIMEOUT_MS = 30_000;

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

export class AgentHandle {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, Pending>();
  readonly #listeners = new Set<(event: AgentEvent) => void>();
  readonly #exited: Promise<void>;
  #nextId = 1;
  #alive = true;
  #closing = false;

  private constructor(name: string, child: ChildProcess) {
    this.name = name;
    this.#child = child;
    this.#exited = new Promise((resolve) => {
      child.on("exit", () => {
        this.#alive = false;
        this.#failAll(new Error(`the agent of ${name} has ended`));
        resolve();
      });
    });
    child.on("message", (message: AgentMessage) => this.#receive(message));
  }

  /** Starts an agent in its own network, pid and mount namespaces; resolves when it answers. */
  static async start(name: string): Promise<AgentHandle> {
    const namespaces = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
    // The shell is process 1 of the namespace: it reaps orphans, which Node does not. `exit` keeps it from being replaced.
    const inside = ["sh", "-c", '"$@"; exit', "sh", process.execPath, AGENT];
    const child = spawn("unshare", [...namespaces, ...inside], {
      detached: true,
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    const handle = new AgentHandle(name, child);
    await new Promise<void>((resolve, reject) => {
      const stop = handle.onEvent((event) => {
        if (event.event !== "ready") return;
        stop();
        resolve();
      });
      child.once("error", reject);
      child.once("exit", (status) => reject(new Error(`the agent of ${name} did not start (status ${status})`)));
    });
    return handle;
  }

  /** The first process of the agent's namespaces, as a pid of this process's namespace. */
  get namespacePid(): number {
    const parent = this.#child.pid;
    for (const name of readdirSync("/proc")) {
      if (!/^\d+$/.test(name)) continue;
      try {
        const stat = readFileSync(`/proc/${name}/stat`, "latin1");
        if (Number(stat.slice(stat.lastIndexOf(")") + 4).split(" ")[0]) === parent) return Number(name);
      } catch {
        // it has ended since the directory was read
      }
    }
    throw new Error(`the agent of ${this.name} has no namespace`);
  }

  /** Hears events until the returned function is called. */
  onEvent(listener: (event: AgentEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Rejects with the agent's own words when the call fails there. */
  call<Name extends keyof AgentCalls>(
    name: Name,
    ...args: Parameters<AgentCalls[Name]>
  ): Promise<ReturnType<AgentCalls[Name]>> {
    if (!this.#alive) return Promise.reject(new Error(`the agent of ${this.name} has ended`));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(new Error(`${name} on ${this.name}: no answer`));
      }, CALL_TIMEOUT_MS);
      const pending: Pending = { resolve: resolve as (value: unknown) => void, reject, timer };
      this.#pending.set(id, pending);
      this.#child.send({ id, call: name, argument: args[0] });
    });
  }

  /** Ends the agent and everything in its namespaces; resolves when that is gone. */
  async close(): Promise<void> {
    if (this.#closing || !this.#alive) return this.#exited;
    this.#closing = true;
    // unshare passes this on to process 1 of the namespace (--kill-child), and the kernel kills the rest.
    this.#child.kill("SIGKILL");
    await this.#exited;
  }

  #receive(message: AgentMessage): void {
    if ("event" in message) {
      for (const listener of [...this.#listeners]) listener(message);
      return;
    }
    const pending = this.#pending.get(message.id);
    if (pending === undefined) return;
    this.#pending.delete(message.id);
    clearTimeout(pending.timer);
    if ("error" in message) pending.reject(new Error(`${this.name}: ${message.error}`));
    else pending.resolve(message.value);
  }

  #failAll(error: Error): void {
    for (const { reject, timer } of this.#pending.values()) {
      clearTimeout(timer);
      reject(error);
    }
    this.#pending.clear();
  }
}
