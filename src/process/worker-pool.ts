/** The workers of a master: started by generation, counted, replaced when they die, told to end. nginx: ngx_reap_children. */
import type { Log } from "../base/log.ts";
import type { ServiceCounters } from "../io/service.ts";
import { SIGNAL_NUMBERS } from "./signals.ts";
import { type WorkerExit, WorkerProcess, type WorkerSpec, type WorkerState } from "./worker-process.ts";

/** The exit code of a worker that would fail again. */
const FATAL_CODE = 2;
/** A worker that dies younger than this is replaced after a delay that doubles: a crash loop must not eat the machine. */
const SHORT_LIFE_MS = 1000;
const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 10_000;
/** Workers that don't heed "terminate" for so long are killed (nginx: after its termination delay has grown over a second). */
const KILL_AFTER_MS = 1500;

/** A worker in the answer to `tandem status`. */
export interface WorkerStatus {
  readonly pid: number;
  readonly index: number;
  readonly generation: number;
  readonly state: WorkerState;
  readonly counters: ServiceCounters | undefined;
}

/** Makes the spec of a worker's successor; undefined when it shall have none. */
export type Respawn = (worker: WorkerProcess) => WorkerSpec | undefined;

export class WorkerPool {
  private readonly workers = new Set<WorkerProcess>();
  private readonly log: Log;
  private readonly respawn: Respawn;
  private readonly onEmpty: () => void;
  private readonly delayMs = new Map<number, number>();
  private readonly pending = new Set<NodeJS.Timeout>();
  private killTimer: NodeJS.Timeout | undefined = undefined;

  /** `onEmpty` is called whenever the last worker has gone. */
  constructor(log: Log, respawn: Respawn, onEmpty: () => void) {
    this.log = log;
    this.respawn = respawn;
    this.onEmpty = onEmpty;
  }

  get size(): number {
    return this.workers.size;
  }

  /** Starts a worker; it is in `ready` when it accepts. */
  start(spec: WorkerSpec): WorkerProcess {
    const worker = new WorkerProcess(spec, (gone, exit) => this.reap(gone, exit));
    this.workers.add(worker);
    if (worker.pid > 0) this.log.write("notice", `start worker process ${worker.pid}`);
    else this.log.write("alert", 'fork() failed while spawning "worker process"');
    return worker;
  }

  /** Tells the workers of other generations than `except` to finish. */
  quit(except?: number): void {
    this.cancelRespawns();
    for (const worker of this.workers) if (worker.generation !== except) worker.quit();
  }

  /** Tells all to end now, and sees to it. */
  terminate(): void {
    this.cancelRespawns();
    for (const worker of this.workers) worker.terminate();
    this.killTimer ??= setTimeout(() => {
      for (const worker of this.workers) worker.kill();
    }, KILL_AFTER_MS);
  }

  /** Ends the workers of a generation that must not come into force. */
  terminateGeneration(generation: number): void {
    for (const worker of this.workers) if (worker.generation === generation) worker.terminate();
  }

  reopen(): void {
    for (const worker of this.workers) worker.reopen();
  }

  /** How every worker is; without counters for one that doesn't answer in time. */
  async status(): Promise<readonly WorkerStatus[]> {
    return Promise.all(
      [...this.workers].map(async (worker) => {
        const counters = await worker.counters();
        const { pid, index, generation, state } = worker;
        return { pid, index, generation, state, counters };
      }),
    );
  }

  private cancelRespawns(): void {
    for (const timer of this.pending) clearTimeout(timer);
    this.pending.clear();
  }

  private reap(worker: WorkerProcess, { code, signal }: WorkerExit): void {
    this.workers.delete(worker);
    const name = `worker process ${worker.pid}`;
    if (signal !== null) this.log.write("alert", `${name} exited on signal ${SIGNAL_NUMBERS[signal] ?? signal}`);
    else this.log.write("notice", `${name} exited with code ${code ?? 0}`);
    if (!worker.isEnding) {
      if (code === FATAL_CODE) {
        this.log.write("alert", `${name} exited with fatal code ${FATAL_CODE} and cannot be respawned`);
      } else this.replace(worker);
    }
    if (this.workers.size > 0) return;
    clearTimeout(this.killTimer);
    this.killTimer = undefined;
    this.onEmpty();
  }

  private replace(worker: WorkerProcess): void {
    const livedMs = performance.now() - worker.startedAtMs;
    const last = this.delayMs.get(worker.index) ?? 0;
    const delayMs = livedMs >= SHORT_LIFE_MS ? 0 : Math.min(LONGEST_DELAY_MS, last === 0 ? FIRST_DELAY_MS : last * 2);
    this.delayMs.set(worker.index, delayMs);
    const timer = setTimeout(() => {
      this.pending.delete(timer);
      const spec = this.respawn(worker);
      if (spec !== undefined) this.start(spec);
    }, delayMs);
    this.pending.add(timer);
  }
}
