/** A process as its supervisor holds it: start, messages, watchdog, end. */
import { type ChildProcess, fork, type Serializable } from "node:child_process";
import { fileURLToPath } from "node:url";
import { beatIntervalMs, Watchdog } from "./watchdog.ts";

/** What every such process says besides: that its loop turns. */
export interface Beat {
  readonly kind: "beat";
}

export interface ChildHooks<From> {
  onMessage(message: Exclude<From, Beat>): void;
  /** It hangs and has been killed; `onExit` follows. */
  onHung(silentMs: number): void;
  /** It has ended: told at once, and again when its last messages have been read (`isDrained`). */
  onExit(how: string, isDrained: boolean): void;
}

export class SupervisedChild<To, From extends { readonly kind: string }> {
  readonly #process: ChildProcess;
  readonly #hooks: ChildHooks<From>;
  #watchdog: Watchdog | undefined;
  #looks: NodeJS.Timeout | undefined;
  #how = "";
  #hasExited = false;

  /**
   * `program` is the name of a file of dist/programs/. `isQuiet`: nothing may keep a terminal or pipe of the parent open; otherwise a crash
   * shows its trace there. `lentFd` is its first descriptor behind the channel to its parent.
   */
  constructor(program: string, hooks: ChildHooks<From>, isQuiet: boolean, lentFd?: number) {
    this.#hooks = hooks;
    const output = isQuiet ? "ignore" : "inherit";
    this.#process = fork(fileURLToPath(new URL(`../../programs/${program}`, import.meta.url)), [], {
      serialization: "advanced",
      execArgv: [],
      stdio: ["ignore", output, output, "ipc", ...(lentFd === undefined ? [] : [lentFd])],
    });
    this.#process.on("message", (message) => this.#receive(message as From));
    this.#process.on("error", () => {}); // a message that could not be sent: `exit` tells why
    this.#process.on("exit", (status, signal) => {
      this.#hasExited = true;
      clearInterval(this.#looks);
      this.#how = signal === null ? `exit status ${status}` : `signal ${signal}`;
      hooks.onExit(this.#how, false);
    });
    this.#process.on("close", () => hooks.onExit(this.#how, true));
  }

  get pid(): number | undefined {
    return this.#hasExited ? undefined : this.#process.pid;
  }

  send(message: To): void {
    if (this.#process.connected) this.#process.send(message as Serializable);
  }

  /** Watches the loop of the process from its first beat on. */
  watch(boundMs: number): void {
    this.#watchdog = undefined;
    clearInterval(this.#looks);
    this.#looks = setInterval(() => this.#look(), beatIntervalMs(boundMs));
    this.#boundMs = boundMs;
  }
  #boundMs = 0;

  kill(): void {
    this.#process.kill("SIGKILL");
  }

  #receive(message: From): void {
    if (isBeat(message)) {
      this.#watchdog ??= new Watchdog(this.#boundMs, performance.now());
      this.#watchdog.beat(performance.now());
      return;
    }
    this.#hooks.onMessage(message as Exclude<From, Beat>);
  }

  #look(): void {
    const watchdog = this.#watchdog;
    if (watchdog === undefined) return;
    // Beats that wait in the channel are read before the judgement: a timer comes first in libuv's turn.
    setImmediate(() => {
      if (this.#hasExited || this.#watchdog !== watchdog || !watchdog.isHung(performance.now())) return;
      this.#watchdog = undefined;
      clearInterval(this.#looks);
      this.#hooks.onHung(watchdog.boundMs);
      this.kill();
    });
  }
}

function isBeat<From extends { readonly kind: string }>(message: From): message is Extract<From, Beat> {
  return message.kind === "beat";
}
