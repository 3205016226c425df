/** The workers of a master: started by generation, counted, replaced when they die, told to end. nginx: ngx_reap_children. */
import type { Log } from "../base/log.ts";
import type { ServiceCounters, UpstreamState } from "../io/service.ts";
import { DescriptorMessages } from "../os/descriptor-channel.ts";
import { SIGNAL_NUMBERS } from "./signals.ts";
import type { SpareWorkers } from "./spare-workers.ts";
import type { WorkerBoard } from "./worker-board.ts";
import {
  type OnWorkerExit,
  type WorkerExit,
  WorkerProcess,
  type WorkerSpec,
  type WorkerState,
} from "./worker-process.ts";

/** The exit code of a worker that would fail again. */
const FATAL_CODE = 2;
/** Workers that die younger than this, one after the other, are replaced after a delay that doubles: a crash loop must not eat the machine. */
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

/** What happens to workers matters to somebody else. */
export interface WorkerPoolEvents {
  readonly respawn: Respawn;
  /** One has ended; before it is replaced. */
  readonly onGone: (worker: WorkerProcess) => void;
  /** The last one has ended; the spare doesn't count. */
  readonly onEmpty: () => void;
  /** The worker of a generation that supervises upstreams tells how they are. */
  readonly onUpstreams: (generation: number, upstreams: readonly UpstreamState[]) => void;
  /** Another number of workers accepts. */
  readonly onAccepting: () => void;
}

export class WorkerPool {
  private readonly workers = new Set<WorkerProcess>();
  private readonly log: Log;
  private readonly events: WorkerPoolEvents;
  private readonly spare: SpareWorkers;
  private readonly board: WorkerBoard;
  private readonly messages = new DescriptorMessages();
  /** By the worker's index: how many in a row have died young. */
  private readonly shortLives = new Map<number, number>();
  private readonly pending = new Set<NodeJS.Timeout>();
  private killTimer: NodeJS.Timeout | undefined = undefined;

  /** Addresses that another node has. */
  private drained: readonly string[] = [];

  constructor(log: Log, spare: SpareWorkers, board: WorkerBoard, events: WorkerPoolEvents) {
    this.log = log;
    this.spare = spare;
    this.board = board;
    this.events = events;
  }

  get size(): number {
    return this.workers.size;
  }

  /** How many accept new connections. */
  get accepting(): number {
    let count = 0;
    for (const { role, state, isHung } of this.workers) if (role === "worker" && state === "ready" && !isHung) count++;
    return count;
  }

  /** Starts a worker; it is in `ready` when it accepts. */
  start(spec: WorkerSpec): WorkerProcess {
    const onExit: OnWorkerExit = (gone, exit) => this.reap(gone, exit);
    let worker = spec.role === "worker" ? this.spare.take(spec) : undefined;
    if (worker === undefined) {
      worker = new WorkerProcess(spec.command, onExit);
      worker.prepare(spec.configuration);
    } else worker.onExit = onExit;
    this.workers.add(worker);
    const { generation } = spec;
    worker.onUpstreams = (upstreams) => this.events.onUpstreams(generation, upstreams);
    worker.onHung = (hung, silentMs) => {
      this.log.write("alert", `${hung.role} process ${hung.pid} hangs: silent for ${silentMs} ms, killing it`);
      this.events.onAccepting();
    };
    void worker.ready.then(() => this.events.onAccepting());
    worker.start(spec, this.board, this.messages);
    if (this.drained.length > 0) worker.drain(this.drained);
    const name = `${spec.role} process`;
    if (worker.pid > 0) this.log.write("notice", `start ${name} ${worker.pid}`);
    else this.log.write("alert", `fork() failed while spawning "${name}"`);
    return worker;
  }

  /** Has a worker in reserve from now on, until the others are told to end. */
  keepSpare(spec: WorkerSpec): void {
    this.spare.keep(spec, this.log);
  }

  /** For workers that are started later, too. */
  drain(addresses: readonly string[]): void {
    this.drained = addresses;
    for (const worker of this.workers) worker.drain(addresses);
  }

  /** Tells the workers of other generations than `except` to finish. */
  quit(except?: number): void {
    this.cancelRespawns();
    if (except === undefined) this.spare.discard();
    for (const worker of this.workers) if (worker.generation !== except) worker.quit();
  }

  /** Tells all to end now, and sees to it. */
  terminate(): void {
    this.cancelRespawns();
    this.spare.discard();
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
    this.spare.renew();
  }

  /** How every worker is; without counters for one that doesn't answer in time. */
  async status(): Promise<readonly WorkerStatus[]> {
    const servers = [...this.workers].filter(({ role }) => role === "worker");
    return Promise.all(
      servers.map(async (worker) => {
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
    this.board.release(worker.slot);
    this.events.onGone(worker);
    if (code !== 0) for (const other of this.workers) other.settle({ slot: worker.slot, processId: worker.pid });
    const name = `${worker.role} process ${worker.pid}`;
    if (worker.pid === 0)
      this.log.write("alert", `a ${worker.role} process could not be started, which is tried again`);
    else if (signal !== null) this.log.write("alert", `${name} exited on signal ${SIGNAL_NUMBERS[signal] ?? signal}`);
    else this.log.write("notice", `${name} exited with code ${code ?? 0}`);
    if (!worker.isEnding) {
      if (code === FATAL_CODE) {
        this.log.write("alert", `${name} exited with fatal code ${FATAL_CODE} and cannot be respawned`);
      } else this.replace(worker);
    }
    this.events.onAccepting();
    if (this.workers.size > 0) return;
    clearTimeout(this.killTimer);
    this.killTimer = undefined;
    this.events.onEmpty();
  }

  private replace(worker: WorkerProcess): void {
    const livedMs = performance.now() - worker.startedAtMs;
    const shortLives = livedMs >= SHORT_LIFE_MS ? 0 : (this.shortLives.get(worker.index) ?? 0) + 1;
    this.shortLives.set(worker.index, shortLives);
    const delayMs = shortLives < 2 ? 0 : Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (shortLives - 2));
    const timer = setTimeout(() => {
      this.pending.delete(timer);
      const spec = this.events.respawn(worker);
      if (spec !== undefined) void this.startSuccessor(spec);
    }, delayMs);
    this.pending.add(timer);
  }

  private async startSuccessor(spec: WorkerSpec): Promise<void> {
    const worker = this.start(spec);
    if ((await worker.ready) && !worker.isEnding && spec.role === "worker") this.keepSpare(spec);
  }
}
