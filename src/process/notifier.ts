/** Tells the world about changes of role: notify scripts (never waited for) and named pipes, in keepalived's formats. */
import type { ChildProcess } from "node:child_process";
import type { Log } from "../base/log.ts";
import type { KeepalivedConfig, NotifyFifo } from "../conf/keepalived/config.ts";
import type { LvsEvent } from "../lvs/ports.ts";
import { findGroup, findUser } from "../os/accounts.ts";
import { Fifo } from "../os/fifo.ts";
import type { NotifyEvent } from "../vrrp/ports.ts";
import { type CommandRunner, signalGroup } from "./run-command.ts";

/** The line of an event in a pipe: `INSTANCE "VI_1" MASTER 100`. */
export function printFifoLine({ type, name, state, priority }: NotifyEvent): string {
  return `${type} "${name}" ${state} ${priority}\n`;
}

interface OpenPipe {
  readonly fifo: Fifo;
  readonly reader: ChildProcess | undefined;
}

/** The pipes of VRRP. */
export function vrrpPipes(globals: KeepalivedConfig["globals"]): readonly (NotifyFifo | undefined)[] {
  return [globals.notifyFifo, globals.vrrpNotifyFifo];
}

/** The pipes of virtual servers. The one for all has its reader from VRRP, if that runs beside. */
export function serverPipes(
  globals: KeepalivedConfig["globals"],
  isAlone: boolean,
): readonly (NotifyFifo | undefined)[] {
  const { notifyFifo, lvsNotifyFifo } = globals;
  return [isAlone ? notifyFifo : notifyFifo && { ...notifyFifo, script: undefined }, lvsNotifyFifo];
}

export class Notifier {
  readonly #runner: CommandRunner;
  readonly #log: Log;
  readonly #pipesOf: (globals: KeepalivedConfig["globals"]) => readonly (NotifyFifo | undefined)[];
  #pipes = new Map<string, OpenPipe>();

  constructor(
    runner: CommandRunner,
    log: Log,
    pipesOf: (globals: KeepalivedConfig["globals"]) => readonly (NotifyFifo | undefined)[] = vrrpPipes,
  ) {
    this.#runner = runner;
    this.#log = log;
    this.#pipesOf = pipesOf;
  }

  /** Opens the pipes that the configuration names and starts their readers; closes the others. */
  configure(globals: KeepalivedConfig["globals"]): void {
    const wanted = this.#pipesOf(globals).filter((fifo) => fifo !== undefined);
    const kept = new Map<string, OpenPipe>();
    for (const settings of wanted) {
      const pipe = this.#pipes.get(settings.path) ?? this.#open(settings);
      if (pipe !== undefined) kept.set(settings.path, pipe);
    }
    for (const [path, pipe] of this.#pipes) if (!kept.has(path)) closePipe(pipe);
    this.#pipes = kept;
  }

  #open(settings: NotifyFifo): OpenPipe | undefined {
    const { path, user, script } = settings;
    try {
      const account = user === undefined ? undefined : findUser(user.user);
      const group = user?.group === undefined ? undefined : findGroup(user.group);
      const owner = account && { uid: account.userId, gid: group ?? account.groupId };
      const fifo = new Fifo(path, owner);
      const reader = script && this.#runner.start(script, [path]);
      reader?.on("error", (error) => this.#log.write("error", `FIFO script ${script?.text}: ${error.message}`));
      return { fifo, reader };
    } catch (error) {
      this.#log.write("error", `Unable to create notify fifo ${path}: ${(error as Error).message}`);
      return undefined;
    }
  }

  /** keepalived's order: pipes first, then the script of the state, then the script of every state. */
  notify(event: NotifyEvent): void {
    this.#write(printFifoLine(event));
    const { specific, any } = event.commands;
    if (specific !== undefined) this.#runner.launch(specific, []);
    // Four words: what, which, state, priority.
    if (any !== undefined) this.#runner.launch(any, [event.type, event.name, event.state, String(event.priority)]);
  }

  /** A virtual or a real server has come up or gone down: the script first, then the pipes, as keepalived does it here. */
  notifyServer({ line, command }: LvsEvent): void {
    if (command !== undefined) this.#runner.launch(command, []);
    this.#write(`${line}\n`);
  }

  #write(line: string): void {
    for (const { fifo } of this.#pipes.values())
      if (!fifo.write(line)) this.#log.write("error", `notify fifo ${fifo.path} is full, dropped: ${line.trim()}`);
  }

  close(): void {
    for (const pipe of this.#pipes.values()) closePipe(pipe);
    this.#pipes.clear();
  }
}

function closePipe({ fifo, reader }: OpenPipe): void {
  fifo.close();
  if (reader !== undefined) signalGroup(reader, "SIGTERM");
}
