/** Runs the program of a MISC_CHECK to its end, or ends it. keepalived: system_call_script. */
import { constants } from "node:os";
import type { Command } from "../conf/keepalived/config.ts";
import type { CommandResult } from "../lvs/ports.ts";
import { type CommandRunner, signalGroup } from "./run-command.ts";

/** A program that ignores SIGTERM gets SIGKILL so much later (keepalived). */
const KILL_AFTER_MS = 2000;

/** Tells how it ended, never inside this call; after `kill` nothing is told. */
export function runCheck(
  runner: CommandRunner,
  command: Command,
  timeoutMs: number,
  done: (result: CommandResult) => void,
): { kill(): void } {
  let isOver = false;
  const end = (result: CommandResult): void => {
    if (isOver) return;
    isOver = true;
    clearTimeout(timer);
    clearTimeout(killing);
    done(result);
  };
  let isLate = false;
  let killing: NodeJS.Timeout | undefined;
  const child = runner.start(command);
  const timer = setTimeout(() => {
    isLate = true;
    if (child === undefined) return;
    signalGroup(child, "SIGTERM");
    killing = setTimeout(() => signalGroup(child, "SIGKILL"), KILL_AFTER_MS);
  }, timeoutMs);
  if (child === undefined) setImmediate(() => end({ kind: "failed", why: "its user does not exist" }));
  child?.on("error", (error) => end({ kind: "failed", why: error.message }));
  child?.on("exit", (status, signal) => {
    // What it has started must not outlive it when it had to be ended.
    if (isLate && child !== undefined) signalGroup(child, "SIGKILL");
    if (signal === null) end({ kind: "exited", status: status ?? 0 });
    else if (isLate) end({ kind: "timed out" });
    else end({ kind: "signalled", signal: constants.signals[signal] });
  });
  return {
    kill: () => {
      isOver = true;
      clearTimeout(timer);
      clearTimeout(killing);
      if (child === undefined) return;
      signalGroup(child, "SIGTERM");
      setTimeout(() => signalGroup(child, "SIGKILL"), KILL_AFTER_MS).unref();
    },
  };
}
