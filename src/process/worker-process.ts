/** A worker as its master sees it: a child process with a channel. */
import { type ChildProcess, spawn } from "node:child_process";
import type { ServiceCounters } from "../io/service.ts";
import type { FromWorker, StartMessage, ToWorker } from "./messages.ts";

/** Descriptors of a worker: 0–2 are the master's, 3 is the channel, listening sockets follow. */
const FIRST_LISTENING_FD = 4;
/** A worker that is too busy to answer counts nothing. */
const REPORT_TIMEOUT_MS = 500;

export type WorkerState = "starting" | "ready" | "quitting" | "terminating";

/** How a worker ended. */
export interface WorkerExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface WorkerSpec {
  /** The JavaScript file that the worker runs. */
  readonly program: string;
  readonly environment: NodeJS.ProcessEnv;
  /** With descriptors of this process; the worker is told its own. */
  readonly start: StartMessage;
  readonly generation: number;
}

export class WorkerProcess {
  readonly index: number;
  readonly generation: number;
  readonly startedAtMs = performance.now();
  state: WorkerState = "starting";
  /** False when the worker ended without having accepted. */
  readonly ready: Promise<boolean>;
  private readonly child: ChildProcess;
  private reportTo: ((counters: ServiceCounters) => void)[] = [];

  /** `onExit` is called once. */
  constructor(spec: WorkerSpec, onExit: (worker: WorkerProcess, exit: WorkerExit) => void) {
    this.index = spec.start.index;
    this.generation = spec.generation;
    const masterFds = [...new Set(spec.start.fds.flat())];
    this.child = spawn(process.execPath, [...process.execArgv, spec.program], {
      stdio: ["inherit", "inherit", "inherit", "ipc", ...masterFds],
      env: spec.environment,
    });
    this.ready = new Promise((resolve) => {
      this.child.on("message", (message: FromWorker) => {
        if (message.type === "ready") {
          if (this.state === "starting") this.state = "ready";
          resolve(true);
        } else for (const report of this.reportTo.splice(0)) report(message.counters);
      });
      let isGone = false;
      const gone = (exit: WorkerExit): void => {
        if (isGone) return;
        isGone = true;
        resolve(false);
        onExit(this, exit);
      };
      this.child.on("exit", (code, signal) => gone({ code, signal }));
      // fork or exec failed (no memory, too many processes): there is no process whose exit could be told.
      this.child.on("error", () => {
        if (this.child.pid === undefined) gone({ code: 2, signal: null });
      });
    });
    this.send({
      ...spec.start,
      fds: spec.start.fds.map((fds) => fds.map((fd) => FIRST_LISTENING_FD + masterFds.indexOf(fd))),
    });
  }

  /** 0 when it could not even be started. */
  get pid(): number {
    return this.child.pid ?? 0;
  }

  get isEnding(): boolean {
    return this.state === "quitting" || this.state === "terminating";
  }

  /** Finish what is going on, then end. */
  quit(): void {
    if (this.isEnding) return;
    this.state = "quitting";
    this.send({ type: "quit" });
  }

  /** End now. */
  terminate(): void {
    this.state = "terminating";
    this.send({ type: "terminate" });
  }

  /** For a worker that doesn't listen any more. */
  kill(): void {
    this.child.kill("SIGKILL");
  }

  reopen(): void {
    this.send({ type: "reopen" });
  }

  /** Its counters, or undefined when it doesn't answer in time. */
  async counters(): Promise<ServiceCounters | undefined> {
    if (this.state === "starting" || !this.child.connected) return undefined;
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(undefined), REPORT_TIMEOUT_MS);
      this.reportTo.push((counters) => {
        clearTimeout(timer);
        resolve(counters);
      });
      this.send({ type: "report" });
    });
  }

  private send(message: ToWorker): void {
    // A worker that has just died is told of by "exit"; a message to it is lost, and that is all.
    if (this.child.connected) this.child.send(message, () => {});
  }
}
