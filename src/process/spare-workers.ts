/**
 * Workers in reserve: started, with their code and the configuration loaded, but without sockets. While the server runs there
 * is one: it takes the place of a worker that has died within some milliseconds; node alone would need a tenth of a second.
 * At the start there may be more of them, begun before the configuration is read. Each costs the memory of a process.
 */
import type { Log } from "../base/log.ts";
import { type WorkerCommand, WorkerProcess, type WorkerSpec } from "./worker-process.ts";

/** The spare is started when the workers have had this time for the requests that wait for them. */
const SETTLE_MS = 1000;
/** A spare that dies is replaced after a delay that doubles: nobody misses it at once. */
const FIRST_DELAY_MS = 1000;
const LONGEST_DELAY_MS = 60_000;

export class SpareWorkers {
  #workers: WorkerProcess[] = [];
  /** How `#workers` were started. */
  #command: WorkerCommand | undefined = undefined;
  #wanted: WorkerSpec | undefined = undefined;
  #log: Log | undefined = undefined;
  #timer: NodeJS.Timeout | undefined = undefined;
  #delayMs = FIRST_DELAY_MS;

  /** Starts some before there is a configuration: at the start of a program, beside the work of reading one. */
  startEarly(command: WorkerCommand, count: number): void {
    for (let started = 0; started < count; started++) this.#spawn(command);
  }

  /** From now on there shall be one for workers of this kind. */
  keep(spec: WorkerSpec, log: Log): void {
    this.#log = log;
    this.#wanted = spec;
    if (!isSame(this.#command, spec.command)) this.#kill(0);
    this.#kill(1);
    const [worker] = this.#workers;
    if (worker === undefined) this.#startLater(SETTLE_MS);
    else this.#prepare(worker, spec);
  }

  /** Hands one over, prepared for this; undefined when there is none. The caller keeps another when that one works. */
  take(spec: WorkerSpec): WorkerProcess | undefined {
    if (!isSame(this.#command, spec.command)) this.#kill(0);
    const worker = this.#workers.pop();
    if (this.#wanted?.configuration.files !== spec.configuration.files) worker?.prepare(spec.configuration);
    return worker;
  }

  /** One that was started before now has old files open: another takes its place. */
  renew(): void {
    if (this.#wanted === undefined) return;
    this.#kill(0);
    this.#startLater(SETTLE_MS);
  }

  /** There shall be none. */
  discard(): void {
    this.#wanted = undefined;
    clearTimeout(this.#timer);
    this.#kill(0);
  }

  /** Ends all but this number of them. */
  #kill(kept: number): void {
    for (const worker of this.#workers.splice(kept)) worker.kill();
  }

  #startLater(delayMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const wanted = this.#wanted;
      if (wanted === undefined) return;
      this.#kill(0);
      const worker = this.#spawn(wanted.command);
      if (worker.pid > 0) this.#log?.write("notice", `start spare worker process ${worker.pid}`);
      this.#prepare(worker, wanted);
    }, delayMs);
  }

  /** One that hangs would be of no use when it is needed. */
  #prepare(worker: WorkerProcess, { hangMs, configuration }: WorkerSpec): void {
    worker.onHung = (hung, silentMs) =>
      this.#log?.write("alert", `spare worker process ${hung.pid} hangs: silent for ${silentMs} ms, killing it`);
    worker.watch(hangMs);
    worker.prepare(configuration);
  }

  #spawn(command: WorkerCommand): WorkerProcess {
    const worker = new WorkerProcess(command, (gone) => this.#gone(gone));
    this.#command = command;
    this.#workers.push(worker);
    return worker;
  }

  /** One has ended that nobody had use for yet. */
  #gone(worker: WorkerProcess): void {
    const index = this.#workers.indexOf(worker);
    if (index < 0) return;
    this.#workers.splice(index, 1);
    if (this.#wanted === undefined) return;
    this.#log?.write("notice", `spare worker process ${worker.pid} exited`);
    const livedMs = performance.now() - worker.startedAtMs;
    this.#delayMs = livedMs > LONGEST_DELAY_MS ? FIRST_DELAY_MS : Math.min(LONGEST_DELAY_MS, this.#delayMs * 2);
    this.#startLater(this.#delayMs);
  }
}

function isSame(a: WorkerCommand | undefined, b: WorkerCommand): boolean {
  if (a?.program !== b.program) return false;
  const names = Object.keys(a.environment);
  return (
    names.length === Object.keys(b.environment).length &&
    names.every((name) => a.environment[name] === b.environment[name])
  );
}
