/**
 * Check scripts: each is started every `interval`, never twice at a time, and ended with its process group after `timeout`.
 * keepalived's counterpart: vrrp_script_thread in vrrp_scheduler.c.
 */
import type { ChildProcess } from "node:child_process";
import type { Log } from "../base/log.ts";
import type { VrrpScript } from "../conf/keepalived/config.ts";
import { type CommandRunner, signalGroup } from "./run-command.ts";

/** A script that ignores SIGTERM gets SIGKILL so much later (keepalived). */
const KILL_AFTER_MS = 2000;

/** How the last run of a script ended. */
export interface ScriptRun {
  readonly succeeded: boolean;
  /** In words, for people. */
  readonly result: string;
  /** Milliseconds since the epoch. */
  readonly endedMs: number;
  readonly durationMs: number;
}

/** Runs one script until it is closed. */
export class ScriptChecker {
  readonly script: VrrpScript;
  readonly #runner: CommandRunner;
  readonly #log: Log;
  readonly #onResult: (succeeded: boolean) => void;
  readonly #timer: NodeJS.Timeout;
  #child: ChildProcess | undefined;
  #last: ScriptRun | undefined;
  #closed = false;

  constructor(script: VrrpScript, runner: CommandRunner, log: Log, onResult: (succeeded: boolean) => void) {
    this.script = script;
    this.#runner = runner;
    this.#log = log;
    this.#onResult = onResult;
    this.#timer = setInterval(() => this.#run(), script.intervalMs);
    this.#run();
  }

  get last(): ScriptRun | undefined {
    return this.#last;
  }

  #run(): void {
    const { name, command, timeoutMs } = this.script;
    if (this.#child !== undefined) {
      this.#log.write("notice", `Track script ${name} is already running, expect idle - skipping run`);
      return;
    }
    const startedMs = performance.now();
    const child = this.#runner.start(command);
    if (child === undefined) {
      this.#ended(false, "its user does not exist", startedMs);
      return;
    }
    this.#child = child;
    let isReported = false;
    const report = (succeeded: boolean, result: string): void => {
      if (isReported) return;
      isReported = true;
      this.#ended(succeeded, result, startedMs);
    };
    let killing: NodeJS.Timeout | undefined;
    const timeout = setTimeout(() => {
      if (!this.#closed) this.#log.write("notice", `VRRP_Script(${name}) timed_out`);
      report(false, `timed out after ${timeoutMs / 1000} s`);
      signalGroup(child, "SIGTERM");
      killing = setTimeout(() => signalGroup(child, "SIGKILL"), KILL_AFTER_MS);
    }, timeoutMs);
    const gone = (): void => {
      clearTimeout(timeout);
      clearTimeout(killing);
      if (this.#child === child) this.#child = undefined;
    };
    child.on("error", (error) => {
      gone();
      report(false, error.message);
    });
    child.on("exit", (status, signal) => {
      gone();
      report(status === 0, signal === null ? `exited with status ${status}` : `killed by ${signal}`);
    });
  }

  #ended(succeeded: boolean, result: string, startedMs: number): void {
    if (this.#closed) return;
    this.#last = { succeeded, result, endedMs: Date.now(), durationMs: performance.now() - startedMs };
    this.#onResult(succeeded);
  }

  /** Tells nothing more; a running script is ended. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    const child = this.#child;
    if (child === undefined) return;
    signalGroup(child, "SIGTERM");
    setTimeout(() => signalGroup(child, "SIGKILL"), KILL_AFTER_MS).unref();
  }
}
