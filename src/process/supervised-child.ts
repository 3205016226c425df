/**
 * A process as its supervisor holds it, for as long as there shall be one: started, watched, asked, started again when it has died or
 * hung, stopped. keepalived's counterpart: start_vrrp_child, start_check_child and the respawn of main.c.
 */
import { type ChildProcess, fork, type Serializable } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Log } from "../base/log.ts";
import { startProcess } from "./start-process.ts";
import { type Beat, LoopWatch, SETTLE_MS } from "./watchdog.ts";

/** A process that dies this soon after its start is started again only after a pause. */
const SHORT_LIFE_MS = 5000;
const RESTART_PAUSE_MS = 1000;
/** How long it may be silent while it takes another configuration over. */
const RELOAD_MS = 3000;

/** What every such process says besides: that it works, and that its loop turns. */
export type Said<From> = Exclude<From, Beat>;

export interface ChildSettings<To, From> {
  /** As the log calls it. */
  readonly name: string;
  /** The name of a file of dist/programs/. */
  readonly program: string;
  readonly log: Log;
  /** Nothing may keep a terminal or pipe of the parent open; otherwise a crash shows its trace there. */
  readonly isQuiet: boolean;
  /** Its first descriptor behind the channel to its parent. */
  readonly lentFd?: number | undefined;
  /** keepalived's -R: it is not started again; `onGone` is called. */
  readonly dontRespawn: boolean;
  /** How long its loop may stand still. */
  boundMs(): number;
  /** What each process is told first. */
  greeting(): To;
  onMessage(message: Said<From>): void;
  /** It has ended, or hangs and has been killed: told at once, perhaps twice. */
  onDead(): void;
  /** All that it has said has been read; whoever has asked it something is answered. `isCrash`: nobody has asked it to end. */
  onEnd(how: string, isCrash: boolean): void;
  /** It has ended and is not started again, though nobody has asked it to end. */
  onGone(): void;
  /** The process id of every one that is started; undefined when it has ended. */
  onPid(pid: number | undefined): void;
}

interface Question<From> {
  readonly kind: string;
  readonly settle: (answer: From | undefined) => void;
}

export class SupervisedChild<To extends { readonly kind: string }, From extends { readonly kind: string }> {
  readonly #settings: ChildSettings<To, From>;
  readonly #log: Log;
  #process: ChildProcess | undefined;
  #watch: LoopWatch | undefined;
  #startedMs = 0;
  #restart: NodeJS.Timeout | undefined;
  #isStopping = false;
  #startUp: { readonly resolve: () => void; readonly reject: (error: Error) => void } | undefined;
  #onStopped: (() => void) | undefined;
  #questionId = 0;
  readonly #questions = new Map<number, Question<From>>();
  restarts = 0;

  constructor(settings: ChildSettings<To, From>) {
    this.#settings = settings;
    this.#log = settings.log;
  }

  /** undefined: there is none at the moment. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Resolves when the process says `ready`. Rejects when it ends before that. */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#startUp = { resolve, reject };
      this.#spawn();
    });
  }

  /** Lost when there is none: the next one is greeted. */
  send(message: To): void {
    if (this.#process?.connected === true) this.#process.send(message as Serializable);
  }

  /** Asks by a message with this number; the answer is the first message of this kind that bears it, or undefined after the bound. */
  ask<Kind extends From["kind"]>(
    kind: Kind,
    boundMs: number,
    question: (id: number) => To,
  ): Promise<Extract<From, { readonly kind: Kind }> | undefined> {
    if (this.#process === undefined) return Promise.resolve(undefined);
    const id = ++this.#questionId;
    return new Promise((resolve) => {
      const timer = setTimeout(() => settle(undefined), boundMs);
      const settle = (answer: From | undefined): void => {
        clearTimeout(timer);
        this.#questions.delete(id);
        resolve(answer as Extract<From, { readonly kind: Kind }> | undefined);
      };
      this.#questions.set(id, { kind, settle });
      this.send(question(id));
    });
  }

  /** It takes a configuration over, with which its bound may be another one. */
  reload(message: To): void {
    if (this.#process !== undefined) this.#watchLoop(RELOAD_MS);
    this.send(message);
  }

  /** Tells it to end and sees to it; resolves when it has. */
  async stop(message: To, waitMs: number): Promise<void> {
    this.#isStopping = true;
    clearTimeout(this.#restart);
    if (this.#process === undefined) return;
    const gone = new Promise<void>((resolve) => {
      this.#onStopped = resolve;
    });
    this.send(message);
    const late = setTimeout(() => {
      this.#log.write("error", `the ${this.#settings.name} process does not stop, killing it`);
      this.#process?.kill("SIGKILL");
    }, waitMs);
    await gone;
    clearTimeout(late);
  }

  #spawn(): void {
    const { name, program, isQuiet, lentFd, onPid, greeting } = this.#settings;
    this.#startedMs = performance.now();
    const output = isQuiet ? "ignore" : "inherit";
    const file = fileURLToPath(new URL(`../../programs/${program}`, import.meta.url));
    const child = startProcess(() =>
      fork(file, [], {
        serialization: "advanced",
        execArgv: [],
        stdio: ["ignore", output, output, "ipc", ...(lentFd === undefined ? [] : [lentFd])],
      }),
    );
    this.#process = child;
    let how = "";
    child.on("message", (message) => this.#receive(message as From));
    // A message that could not be sent: `exit` tells why. No memory, too many processes: there is none that could exit.
    child.on("error", (error) => {
      if (child.pid === undefined) this.#ended(`not started: ${error.message}`);
    });
    child.on("exit", (status, signal) => {
      how = signal === null ? `exit status ${status}` : `signal ${signal}`;
      this.#dead();
    });
    child.on("close", () => {
      if (how !== "") this.#ended(how);
    });
    if (child.pid === undefined) return;
    this.#log.write("notice", `Starting ${name} child process, pid=${child.pid}`);
    onPid(child.pid);
    this.#watchLoop(SETTLE_MS);
    this.send(greeting());
  }

  #watchLoop(allowedMs: number): void {
    this.#watch?.close();
    this.#watch = new LoopWatch(this.#settings.boundMs(), (silentMs) => {
      this.#log.write("alert", `${this.#settings.name} process hangs: silent for ${silentMs} ms, killing it`);
      this.#process?.kill("SIGKILL");
      // It runs no more, though one that waits for a disk may not be gone for long.
      this.#settings.onDead();
    });
    this.#watch.allow(allowedMs);
  }

  #receive(message: From): void {
    if (isBeat(message)) {
      this.#watch?.beat();
      return;
    }
    if (message.kind === "ready") {
      this.#watch?.settle();
      this.#startUp?.resolve();
      this.#startUp = undefined;
    }
    const question = "id" in message ? this.#questions.get(message.id as number) : undefined;
    if (question?.kind === message.kind) question.settle(message);
    else this.#settings.onMessage(message as Said<From>);
  }

  /** What matters at once. */
  #dead(): void {
    this.#watch?.close();
    this.#process = undefined;
    this.#settings.onDead();
    this.#settings.onPid(undefined);
  }

  #ended(how: string): void {
    if (this.#process !== undefined) this.#dead();
    for (const { settle } of [...this.#questions.values()]) settle(undefined);
    const { name, dontRespawn, onEnd, onGone } = this.#settings;
    const startUp = this.#startUp;
    this.#startUp = undefined;
    const isCrash = !this.#isStopping && startUp === undefined;
    onEnd(how, isCrash);
    startUp?.reject(new Error(`the ${name} process ended while it was starting`));
    this.#onStopped?.();
    if (!isCrash) return;
    if (dontRespawn) {
      onGone();
      return;
    }
    this.restarts++;
    const isShort = performance.now() - this.#startedMs < SHORT_LIFE_MS;
    this.#log.write("alert", `${name} child process(${how}) died: Respawning`);
    this.#restart = setTimeout(() => this.#spawn(), isShort ? RESTART_PAUSE_MS : 0);
  }
}

function isBeat<From extends { readonly kind: string }>(message: From): message is Extract<From, Beat> {
  return message.kind === "beat";
}
