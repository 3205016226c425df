/** The VRRP process as its supervisor holds it: start, messages, watchdog, end. */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { FromVrrpProcess, ToVrrpProcess } from "./vrrp-messages.ts";
import { beatIntervalMs, Watchdog } from "./watchdog.ts";

export interface VrrpChildHooks {
  onMessage(message: FromVrrpProcess): void;
  /** It hangs and has been killed; `onExit` follows. */
  onHung(silentMs: number): void;
  /** It has ended: told at once, and again when its last messages have been read (`isDrained`). */
  onExit(how: string, isDrained: boolean): void;
}

export class VrrpChild {
  readonly #process: ChildProcess;
  readonly #hooks: VrrpChildHooks;
  #watchdog: Watchdog | undefined;
  #looks: NodeJS.Timeout | undefined;
  #how = "";
  #hasExited = false;

  /**
   * `isQuiet`: nothing may keep a terminal or pipe of the parent open; otherwise a crash shows its trace there. `flightFd` becomes
   * its FLIGHT_FD.
   */
  constructor(hooks: VrrpChildHooks, isQuiet: boolean, flightFd: number | undefined) {
    this.#hooks = hooks;
    const output = isQuiet ? "ignore" : "inherit";
    this.#process = fork(fileURLToPath(new URL("./vrrp-main.js", import.meta.url)), [], {
      serialization: "advanced",
      execArgv: [],
      stdio: ["ignore", output, output, "ipc", ...(flightFd === undefined ? [] : [flightFd])],
    });
    this.#process.on("message", (message) => this.#receive(message as FromVrrpProcess));
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

  send(message: ToVrrpProcess): void {
    if (this.#process.connected) this.#process.send(message);
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

  #receive(message: FromVrrpProcess): void {
    if (message.kind === "beat") {
      this.#watchdog ??= new Watchdog(this.#boundMs, performance.now());
      this.#watchdog.beat(performance.now());
      return;
    }
    this.#hooks.onMessage(message);
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
