/**
 * A worker as its master sees it: a child process with a channel. It is started before it is known what it will work on,
 * told the configuration by `prepare`, and works from `start` on.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync } from "node:fs";
import type { Debtor } from "../base/zone-ledger.ts";
import type { ServiceCounters, UpstreamState } from "../io/service.ts";
import type { CounterBoard } from "../net/counters.ts";
import { type DescriptorMessages, descriptorChannel } from "../os/descriptor-channel.ts";
import { MessageChannel, messageChannel } from "../os/message-channel.ts";
import {
  descriptorsOf,
  type FromWorker,
  type PrepareMessage,
  type SharedDescriptors,
  type ToWorker,
  type WorkerRole,
  withDescriptors,
} from "./messages.ts";
import { startProcess } from "./start-process.ts";
import { V8_OPTIONS } from "./v8-options.ts";
import { LoopWatch, SETTLE_MS } from "./watchdog.ts";
import type { WorkerBoard } from "./worker-board.ts";

/** A worker that is too busy to answer counts nothing. */
const REPORT_TIMEOUT_MS = 500;
const STDERR_FD = 2;

export type WorkerState = "spare" | "starting" | "ready" | "quitting" | "terminating";

/** How a worker ended; neither: it could not even be started. */
export interface WorkerExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** How a worker's process is started. */
export interface WorkerCommand {
  /** The JavaScript file that the worker runs. */
  readonly program: string;
  readonly environment: NodeJS.ProcessEnv;
}

/** What a worker is to do. */
export interface WorkerSpec {
  readonly command: WorkerCommand;
  readonly configuration: PrepareMessage;
  readonly role: WorkerRole;
  readonly generation: number;
  readonly index: number;
  /** `fds[kind][i]`, a descriptor of this process, listens for the kind's `plan.listens[i]`. */
  readonly fds: readonly (readonly number[])[];
  readonly shared: SharedDescriptors;
  /** How long its loop may stand still, ms; 0: for ever. */
  readonly hangMs: number;
}

/** Whoever has a worker is told of its end, once. */
export type OnWorkerExit = (worker: WorkerProcess, exit: WorkerExit) => void;

export class WorkerProcess {
  role: WorkerRole = "worker";
  index = -1;
  /** Its line on the board of counters; 0 before it works. */
  slot = 0;
  generation = 0;
  startedAtMs = performance.now();
  state: WorkerState = "spare";
  isHung = false;
  onExit: OnWorkerExit;
  onUpstreams: (upstreams: readonly UpstreamState[]) => void = () => {};
  /** It hangs and has been killed: its end follows. */
  onHung: (worker: WorkerProcess, silentMs: number) => void = () => {};
  /** False when the worker ended without having accepted. */
  readonly ready: Promise<boolean>;
  #settle: (isReady: boolean) => void = () => {};
  readonly #child: ChildProcess;
  #watch: LoopWatch | undefined;
  #hangMs = 0;
  #board: CounterBoard | undefined;
  #channel: MessageChannel<FromWorker, ToWorker> | undefined;
  /** Our end of what brings it descriptors; -1 when it has them. */
  #descriptors = -1;
  #reportTo: ((counters: ServiceCounters) => void)[] = [];

  constructor({ program, environment }: WorkerCommand, onExit: OnWorkerExit) {
    this.onExit = onExit;
    const child = startProcess(() => {
      const messages = messageChannel();
      this.#channel = new MessageChannel(
        messages.ours,
        (message) => this.#receive(message),
        () => {},
      );
      const lent = [messages.theirs];
      try {
        const descriptors = descriptorChannel();
        this.#descriptors = descriptors.ours;
        lent.push(descriptors.theirs);
        // The operator's own options come later, and win.
        return spawn(process.execPath, [...V8_OPTIONS, ...process.execArgv, program], {
          // Messages at MESSAGES_FD, descriptors at DESCRIPTORS_FD.
          stdio: ["inherit", "inherit", "inherit", ...lent],
          env: environment,
        });
      } finally {
        for (const fd of lent) closeSync(fd);
      }
    });
    this.#child = child;
    this.ready = new Promise((resolve) => {
      this.#settle = resolve;
    });
    let isGone = false;
    const gone = (exit: WorkerExit): void => {
      if (isGone) return;
      isGone = true;
      this.#watch?.close();
      this.#channel?.close();
      this.#closeDescriptors();
      this.#settle(false);
      this.onExit(this, exit);
    };
    child.on("exit", (code, signal) => gone({ code, signal }));
    // fork or exec failed (no memory, too many processes): there is no process whose exit could be told.
    child.on("error", () => {
      if (child.pid === undefined) gone({ code: null, signal: null });
    });
  }

  #receive(message: FromWorker): void {
    if (message.type === "beat") this.#watch?.beat();
    else if (message.type === "prepared") {
      // One that has been started meanwhile has more to do.
      if (this.state === "spare") this.#watch?.settle();
    } else if (message.type === "ready") {
      this.#watch?.settle();
      if (this.state === "starting") this.state = "ready";
      this.#settle(true);
    } else if (message.type === "upstreams") this.onUpstreams(message.upstreams);
    else for (const report of this.#reportTo.splice(0)) report(message.counters);
  }

  /** 0 when it could not even be started. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get isEnding(): boolean {
    return this.state === "quitting" || this.state === "terminating";
  }

  /** From now on it is killed when its loop stands still for so long, ms; 0: never. */
  watch(hangMs: number): void {
    if (this.#hangMs === hangMs) return;
    this.#hangMs = hangMs;
    this.#watch?.close();
    this.#watch = undefined;
    if (hangMs === 0 || this.pid === 0) return;
    const onHung = (silentMs: number): void => {
      this.isHung = true;
      this.onHung(this, silentMs);
      this.kill();
    };
    this.#watch = new LoopWatch(hangMs, onHung, () => this.#board?.beats(this.slot) ?? 0);
    this.#watch.allow(SETTLE_MS);
  }

  /** Lets it load a configuration, in place of one that it has loaded before. */
  prepare(configuration: PrepareMessage): void {
    this.#watch?.allow(SETTLE_MS);
    this.#send(configuration);
  }

  /** Lets it work. It must have been prepared. */
  start(
    { role, index, generation, fds, shared, hangMs }: WorkerSpec,
    board: WorkerBoard,
    messages: DescriptorMessages,
  ): void {
    const slot = board.take();
    this.role = role;
    this.index = index;
    this.slot = slot;
    this.#board = board.counters;
    this.generation = generation;
    this.startedAtMs = performance.now();
    this.state = "starting";
    this.watch(hangMs);
    this.#watch?.allow(SETTLE_MS);
    // A worker that waited has the standard error of the time when it was made: the log file may have been renewed since.
    const descriptors = [STDERR_FD, ...new Set([...fds.flat(), ...descriptorsOf(shared)])];
    const error = messages.send(this.#descriptors, descriptors);
    this.#closeDescriptors();
    // Only a worker that is dead can't take them, or one that this process has no descriptors for: it ends by itself.
    const descriptorCount = error === 0 ? descriptors.length : 0;
    const indexOf = (fd: number): number => descriptors.lastIndexOf(fd);
    const listening = fds.map((kind) => kind.map(indexOf));
    this.#send({
      type: "start",
      role,
      index,
      descriptorCount,
      listening,
      shared: withDescriptors(shared, indexOf),
      slot,
    });
  }

  /** Finish what is going on, then end. */
  quit(): void {
    if (this.isEnding) return;
    this.state = "quitting";
    this.#send({ type: "quit" });
  }

  /** Another node has these addresses now; see `Service.drain`. */
  drain(addresses: readonly string[]): void {
    if (this.state === "starting" || this.state === "ready") this.#send({ type: "drain", addresses });
  }

  /** End now. */
  terminate(): void {
    this.state = "terminating";
    this.#send({ type: "terminate" });
  }

  /** For a worker that doesn't listen any more. */
  kill(): void {
    this.#child.kill("SIGKILL");
  }

  reopen(): void {
    this.#send({ type: "reopen" });
  }

  /** Another worker was killed: this one takes back what that has counted in shared memory. */
  settle(debtor: Debtor): void {
    if (this.state !== "spare") this.#send({ type: "settle", debtor });
  }

  /** Its counters, or undefined when it doesn't answer in time. */
  async counters(): Promise<ServiceCounters | undefined> {
    if (this.state === "spare" || this.state === "starting" || this.#channel?.isOpen !== true) return undefined;
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(undefined), REPORT_TIMEOUT_MS);
      this.#reportTo.push((counters) => {
        clearTimeout(timer);
        resolve(counters);
      });
      this.#send({ type: "report" });
    });
  }

  #closeDescriptors(): void {
    if (this.#descriptors >= 0) closeSync(this.#descriptors);
    this.#descriptors = -1;
  }

  #send(message: ToWorker): void {
    // A worker that has just died is told of by "exit"; a message to it is lost, and that is all.
    this.#channel?.send(message);
  }
}
