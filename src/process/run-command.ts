/**
 * Runs the programs that a keepalived.conf names, as their user, in a process group of their own, without a shell: the
 * configuration has split the words. keepalived's counterpart: notify.c, system_call_script.
 */
import { type ChildProcess, spawn } from "node:child_process";
import type { Log } from "../base/log.ts";
import type { Command, ScriptUser } from "../conf/keepalived/config.ts";
import { findGroup, findUser } from "../os/accounts.ts";
import { startProcess } from "./start-process.ts";

/** keepalived's default identity for scripts, if there is such a user. */
const DEFAULT_SCRIPT_USER = "keepalived_script";

interface Identity {
  readonly uid: number;
  readonly gid: number;
}

/** Starts programs; knows who they run as. */
export class CommandRunner {
  readonly #log: Log;
  #defaultUser: ScriptUser | undefined;

  constructor(log: Log, defaultUser: ScriptUser | undefined) {
    this.#log = log;
    this.#defaultUser = defaultUser;
  }

  /** After a reload. */
  setDefaultUser(user: ScriptUser | undefined): void {
    this.#defaultUser = user;
  }

  /** Starts the program with more arguments behind its own; undefined when its user does not exist. Failures come as events. */
  start(command: Command, more: readonly string[] = []): ChildProcess | undefined {
    const [program, ...args] = command.argv;
    if (program === undefined) return undefined;
    const identity = this.#identity(command);
    if (identity === undefined) return undefined;
    const isSelf = process.getuid?.() === identity.uid && process.getgid?.() === identity.gid;
    return startProcess(() =>
      spawn(program, [...args, ...more], {
        stdio: ["ignore", "ignore", "ignore"],
        detached: true, // its own process group, so that it can be ended with everything it has started
        cwd: "/",
        ...(isSelf ? {} : identity),
      }),
    );
  }

  /** Starts the program and forgets it (keepalived: notify scripts are not waited for). */
  launch(command: Command, more: readonly string[]): void {
    const child = this.start(command, more);
    if (child === undefined) return;
    child.on("error", (error) => this.#log.write("error", `Couldn't execute ${command.text}: ${error.message}`));
    child.unref();
  }

  #identity(command: Command): Identity | undefined {
    const asked = command.user ?? this.#defaultUser;
    const self = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
    if (self.uid !== 0) return self;
    const user = findUser(asked?.user ?? DEFAULT_SCRIPT_USER);
    if (user === undefined) {
      if (asked === undefined) return self;
      this.#log.write("error", `cannot run ${command.text}: user '${asked.user}' does not exist`);
      return undefined;
    }
    const gid = asked?.group === undefined ? user.groupId : (findGroup(asked.group) ?? Number(asked.group));
    return { uid: user.userId, gid };
  }
}

/** Sends a signal to a started program and everything in its group; one that is gone is no failure. */
export function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // ESRCH: the whole group has ended.
  }
}

/** Runs a program to its end, which may not take longer than so many milliseconds. */
export function runToEnd(runner: CommandRunner, log: Log, command: Command, timeoutMs: number): Promise<void> {
  const child = runner.start(command);
  if (child === undefined) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      log.write("error", `${command.text} takes longer than ${timeoutMs / 1000} s, killing it`);
      signalGroup(child, "SIGKILL");
    }, timeoutMs);
    const end = (): void => {
      clearTimeout(timer);
      resolve();
    };
    child.on("error", (error) => {
      log.write("error", `Couldn't execute ${command.text}: ${error.message}`);
      end();
    });
    child.on("exit", end);
  });
}
