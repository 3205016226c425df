/**
 * The master of the nginx half: owns configuration, listening sockets, pid file and workers. It knows nothing of the process
 * that it lives in: signals are delivered by its caller, and its end is told to it. nginx: ngx_master_process_cycle.
 *
 * | state    | entered by                        | workers                               | left by                          |
 * |----------|-----------------------------------|---------------------------------------|----------------------------------|
 * | starting | `start`                           | the first generation is coming up      | all accept → running              |
 * | running  |                                   | one generation, older ones finishing   | QUIT → quitting, TERM → terminating |
 * | quitting | QUIT                              | finish their connections               | the last one has gone → ended     |
 * | terminating | TERM, INT                      | end now, killed after a while          | the last one has gone → ended     |
 *
 * A reload starts the new generation first and tells the old one to finish only when all of the new one accepts; if that
 * fails, everything stays as it was.
 */
import type { ChildProcess } from "node:child_process";
import type { Log } from "../base/log.ts";
import type { Diagnostic } from "../conf/diagnostics.ts";
import { printPosition } from "../conf/diagnostics.ts";
import type { ServiceCounters, UpstreamState } from "../io/service.ts";
import { UNSERVED_MS } from "../vrrp/unserved.ts";
import { ListeningSet, type PreparedSockets } from "./listening-set.ts";
import { renewLogFile } from "./log-rotation.ts";
import type { WorkerRole } from "./messages.ts";
import { type Invocation, startNewBinary } from "./new-binary.ts";
import type { ConfigurationRequest, NginxConfiguration } from "./nginx-configuration.ts";
import { deletePidFile, OLD_SUFFIX, renamePidFile, writePidFile } from "./pid-file.ts";
import type { RecordedFiles } from "./recorded-files.ts";
import { type MasterSignal, SIGNAL_NUMBERS } from "./signals.ts";
import type { SpareWorkers } from "./spare-workers.ts";
import { WorkerBoard } from "./worker-board.ts";
import { environmentOf } from "./worker-environment.ts";
import { WorkerPool, type WorkerStatus } from "./worker-pool.ts";
import type { WorkerSpec } from "./worker-process.ts";
import { type PreparedZones, ZoneSet } from "./zone-set.ts";

/** A configuration and the files that it was read from. */
export interface RunnableConfiguration {
  readonly configuration: NginxConfiguration;
  readonly files: RecordedFiles;
}

/** What reading the configuration anew has brought. */
export interface LoadOutcome {
  readonly runnable: RunnableConfiguration | undefined;
  readonly diagnostics: readonly Diagnostic[];
}

export interface MasterOptions {
  readonly request: ConfigurationRequest;
  readonly initial: RunnableConfiguration;
  /** Reads the configuration again, for a reload. */
  readonly load: () => LoadOutcome;
  readonly log: Log;
  /** The JavaScript file that workers run. */
  readonly workerProgram: string;
  /** May have one started already. */
  readonly spare: SpareWorkers;
  /** How this program was started; without it USR2 is refused. */
  readonly invocation: Invocation | undefined;
  /** The environment of this program; workers get what `env` lets through. */
  readonly environment: NodeJS.ProcessEnv;
  /** Whether nobody waits at a terminal: WINCH then means "stop accepting". */
  readonly isDaemon: boolean;
  /** Listening descriptors from an old binary, and its pid. */
  readonly inherited: { readonly fds: readonly number[]; readonly oldBinaryPid: number } | undefined;
  /** A configuration comes into force: the caller may point its log and its standard error elsewhere. Throws when it can't. */
  readonly onConfiguration: (configuration: NginxConfiguration) => void;
  /** How the upstreams are, when that has changed. */
  readonly onUpstreams?: (upstreams: readonly UpstreamState[]) => void;
  /** No worker accepts, and has not for a while; or one does again. */
  readonly onServing?: (isServing: boolean) => void;
  /** The log files of this process are to be opened anew. */
  readonly onReopen: () => void;
  /** The master has come to its end, with this exit code. */
  readonly onEnd: (code: number) => void;
}

/** For `tandem status`. */
export interface MasterStatus {
  readonly state: MasterState;
  readonly pid: number;
  readonly configurationFile: string;
  readonly generation: number;
  /** Milliseconds since the epoch. */
  readonly startedAtMs: number;
  readonly workers: readonly WorkerStatus[];
  readonly counters: ServiceCounters;
  readonly upstreams: readonly UpstreamState[];
}

export type MasterState = "starting" | "running" | "quitting" | "terminating" | "ended";

/** What a signal makes the master do, as its log line says it. */
const CONSEQUENCES: Readonly<Record<MasterSignal, string>> = {
  SIGHUP: ", reconfiguring",
  SIGINT: ", exiting",
  SIGTERM: ", exiting",
  SIGQUIT: ", shutting down",
  SIGUSR1: ", reopening logs",
  SIGUSR2: ", changing binary",
  SIGWINCH: ", stop accepting connections",
};

/** Of a process that is not one of the workers. */
const NO_INDEX = -1;
const LONGEST_INTERVAL_MS = 2 ** 31 - 1;

export class Master {
  private readonly options: MasterOptions;
  private readonly log: Log;
  private readonly listening: ListeningSet;
  private readonly zoneSet: ZoneSet;
  private readonly board = new WorkerBoard();
  private readonly pool: WorkerPool;
  /** Where the clock begins that all workers of this master share. */
  private readonly clockOriginMs = monotonicMs();
  private readonly startedAtMs = Date.now();
  private state: MasterState = "starting";
  private running: RunnableConfiguration;
  private sockets: PreparedSockets | undefined = undefined;
  private zones: PreparedZones | undefined = undefined;
  private generation = 1;
  /** Numbers are never used twice: workers of a generation that failed may still be ending. */
  private lastGeneration = 1;
  private exitCode = 0;
  private hasPidFile = false;
  private isReloading = false;
  private isReloadWanted = false;
  private isPaused = false;
  private upstreams: readonly UpstreamState[] = [];
  private newBinary: ChildProcess | undefined = undefined;
  private isServing = true;
  private notServing: NodeJS.Timeout | undefined = undefined;
  /** A master without workers (WINCH, all of them failed) has nothing else that keeps its process alive. */
  private readonly presence = setInterval(() => {}, LONGEST_INTERVAL_MS);

  constructor(options: MasterOptions) {
    this.options = options;
    this.log = options.log;
    this.running = options.initial;
    this.listening = new ListeningSet(options.log);
    this.zoneSet = new ZoneSet(options.log);
    this.pool = new WorkerPool(options.log, options.spare, this.board, {
      respawn: ({ role, index, generation }) =>
        generation === this.generation ? this.specOf(role, index, this.generation) : undefined,
      onGone: ({ pid }) => this.zoneSet.release(pid),
      onEmpty: () => this.workersGone(),
      onUpstreams: (generation, upstreams) => this.takeUpstreams(generation, upstreams),
      onAccepting: () => this.judgeServing(),
    });
  }

  /** Opens sockets, starts workers, writes the pid file. False when that failed: the log says why, nothing is left behind. */
  async start(): Promise<boolean> {
    const { inherited } = this.options;
    if (inherited !== undefined) this.listening.inherit(inherited.fds);
    const { configuration } = this.running;
    const zones = this.zoneSet.prepare(configuration.zones);
    if (zones === undefined) return this.failStart();
    const sockets = await this.prepareSockets(configuration);
    if (sockets === undefined) return this.failStart();
    this.sockets = sockets;
    this.zones = zones;
    sockets.commit();
    zones.commit();
    this.options.onConfiguration(configuration);
    if (!(await this.startWorkers(this.generation))) return this.failStart();
    if (this.state !== "starting") return false;
    const failure = writePidFile(configuration.pidPath, process.pid);
    if (failure !== undefined) {
      this.log.write("emerg", failure);
      return this.failStart();
    }
    this.hasPidFile = true;
    this.state = "running";
    this.startCacheKeeper();
    this.keepSpare();
    if (this.isReloadWanted) this.reload();
    return true;
  }

  /** Delivers a signal, as if the process had got it. */
  signal(signal: MasterSignal): void {
    const isIgnored = signal === "SIGUSR2" && this.isUpgrading();
    let consequence = isIgnored ? ", ignoring" : CONSEQUENCES[signal];
    if (signal === "SIGWINCH" && !this.options.isDaemon) consequence = "";
    this.log.write("notice", `signal ${SIGNAL_NUMBERS[signal]} (${signal}) received${consequence}`);
    if (isIgnored) {
      this.log.write(
        "crit",
        "the changing binary signal is ignored: you should shutdown or terminate before either old or new binary's process",
      );
      return;
    }
    switch (signal) {
      case "SIGHUP":
        this.reload();
        return;
      case "SIGINT":
      case "SIGTERM":
        this.terminate();
        return;
      case "SIGQUIT":
        this.quit();
        return;
      case "SIGUSR1":
        this.reopen();
        return;
      case "SIGUSR2":
        this.changeBinary();
        return;
      case "SIGWINCH":
        if (this.options.isDaemon) this.pause();
    }
  }

  /** Another node has these addresses now; see `Service.drain`. */
  drain(addresses: readonly string[]): void {
    this.pool.drain(addresses);
  }

  async status(): Promise<MasterStatus> {
    const workers = await this.pool.status();
    return {
      state: this.state,
      pid: process.pid,
      configurationFile: this.running.configuration.file,
      generation: this.generation,
      startedAtMs: this.startedAtMs,
      workers,
      upstreams: this.upstreams,
      counters: this.board.counters.total(),
    };
  }

  /** Workers of an older generation have nothing to tell any more. */
  private takeUpstreams(generation: number, upstreams: readonly UpstreamState[]): void {
    if (generation !== this.generation) return;
    this.upstreams = upstreams;
    this.options.onUpstreams?.(upstreams);
  }

  /** A worker that has died is replaced in a moment, which is not worth telling. */
  private judgeServing(): void {
    const isServing = this.pool.accepting > 0;
    if (isServing || this.state !== "running") {
      clearTimeout(this.notServing);
      this.notServing = undefined;
      if (isServing) this.tellServing(true);
    } else this.notServing ??= setTimeout(() => this.tellServing(false), UNSERVED_MS);
  }

  private tellServing(isServing: boolean): void {
    if (isServing === this.isServing || this.state !== "running") return;
    this.isServing = isServing;
    this.log.write(
      isServing ? "notice" : "alert",
      isServing ? "a worker process accepts again" : "no worker process accepts",
    );
    this.options.onServing?.(isServing);
  }

  // Starting.

  private prepareSockets(configuration: NginxConfiguration): Promise<PreparedSockets | undefined> {
    const specs = configuration.plans.flatMap((plan) => plan.listens);
    return this.listening.prepare(specs, configuration.workerCount);
  }

  /** True when every worker of the generation accepts. */
  private async startWorkers(generation: number): Promise<boolean> {
    this.log.write("notice", "start worker processes");
    const workers = [];
    for (let index = 0; index < this.running.configuration.workerCount; index++) {
      workers.push(this.pool.start(this.specOf("worker", index, generation)));
    }
    const ready = await Promise.all(workers.map((worker) => worker.ready));
    return ready.every((one) => one);
  }

  /** The process that keeps caches in order, when there are any: nobody waits for it. nginx: ngx_start_cache_manager_processes. */
  private startCacheKeeper(): void {
    if (!this.running.configuration.plans.some(({ hasCaches }) => hasCaches === true)) return;
    this.pool.start(this.specOf("cache manager", NO_INDEX, this.generation));
  }

  private specOf(role: WorkerRole, index: number, generation: number): WorkerSpec {
    const { configuration, files } = this.running;
    const { workerProgram: program, environment, request, isDaemon } = this.options;
    const sockets = this.sockets as PreparedSockets;
    return {
      command: { program, environment: environmentOf(configuration.core.env, environment) },
      configuration: { type: "prepare", request, files, isDaemon },
      role,
      generation,
      index,
      fds: configuration.plans.map(({ listens }) =>
        role === "worker" ? listens.map((spec) => sockets.fdFor(spec, index)) : [],
      ),
      shared: {
        board: this.board.fd,
        zones: (this.zones as PreparedZones).descriptors,
        clockOriginMs: this.clockOriginMs,
      },
      // A worker that has stopped itself for a debugger is left alone.
      hangMs: configuration.core.debug_points === "stop" ? 0 : configuration.core.worker_hang_timeout,
    };
  }

  /** Whichever worker dies, its successor is made of the same. */
  private keepSpare(): void {
    this.pool.keepSpare(this.specOf("worker", 0, this.generation));
  }

  private failStart(): false {
    if (this.state === "starting") {
      this.state = "terminating";
      this.exitCode = 1;
      this.listening.close(this.options.inherited === undefined);
      this.pool.terminate();
      if (this.pool.size === 0) this.workersGone();
    }
    return false;
  }

  // Reloading.

  private reload(): void {
    if (this.state === "starting" || this.isReloading) {
      this.isReloadWanted = true;
      return;
    }
    if (this.state !== "running") return;
    if (this.newBinary !== undefined) {
      // Beside a new binary, HUP brings back the workers that WINCH has sent away.
      if (this.isPaused) this.resume();
      return;
    }
    this.isReloading = true;
    this.isReloadWanted = false;
    void this.reconfigure().finally(() => {
      this.isReloading = false;
      if (this.isReloadWanted) this.reload();
    });
  }

  private async reconfigure(): Promise<void> {
    this.log.write("notice", "reconfiguring");
    const { runnable, diagnostics } = this.options.load();
    for (const { severity, message, position } of diagnostics) {
      this.log.write(severity, position === undefined ? message : `${message} in ${printPosition(position)}`);
    }
    if (runnable === undefined) return;
    const zones = this.zoneSet.prepare(runnable.configuration.zones);
    if (zones === undefined) return;
    const sockets = await this.prepareSockets(runnable.configuration);
    if (sockets === undefined) {
      zones.abandon();
      return;
    }
    const before = { running: this.running, sockets: this.sockets, zones: this.zones, generation: this.generation };
    this.running = runnable;
    this.sockets = sockets;
    this.zones = zones;
    this.generation = ++this.lastGeneration;
    let isUp = false;
    try {
      this.options.onConfiguration(runnable.configuration);
      isUp = await this.startWorkers(this.generation);
    } catch (error) {
      this.log.write("emerg", (error as Error).message);
    }
    if (this.state !== "running") {
      sockets.abandon();
      zones.abandon();
      return;
    }
    if (!isUp) {
      const failed = this.generation;
      ({ running: this.running, sockets: this.sockets, zones: this.zones } = before);
      this.generation = before.generation;
      this.pool.terminateGeneration(failed);
      sockets.abandon();
      zones.abandon();
      this.options.onConfiguration(this.running.configuration);
      this.log.write("emerg", "the new worker processes failed, the previous configuration stays in force");
      return;
    }
    this.movePidFile(before.running.configuration.pidPath, runnable.configuration.pidPath);
    this.isPaused = false;
    this.pool.quit(this.generation);
    sockets.commit();
    zones.commit();
    this.startCacheKeeper();
    this.keepSpare();
  }

  private movePidFile(from: string, to: string): void {
    if (from === to) return;
    const failure = writePidFile(to, process.pid) ?? deletePidFile(from);
    if (failure !== undefined) this.log.write("emerg", failure);
  }

  // Ending.

  private quit(): void {
    if (this.state === "starting" || this.state === "running") {
      this.state = "quitting";
      this.pool.quit();
      this.listening.close(this.ownsSocketFiles());
      if (this.pool.size === 0) this.workersGone();
    }
  }

  private terminate(): void {
    if (this.state === "ended") return;
    const isClosed = this.state === "quitting" || this.state === "terminating";
    this.state = "terminating";
    this.pool.terminate();
    if (!isClosed) this.listening.close(this.ownsSocketFiles());
    if (this.pool.size === 0) this.workersGone();
  }

  /** The last worker has gone. */
  private workersGone(): void {
    if (this.state !== "quitting" && this.state !== "terminating") return;
    if (this.hasPidFile) {
      const { pidPath } = this.running.configuration;
      const failure = deletePidFile(this.newBinary === undefined ? pidPath : pidPath + OLD_SUFFIX);
      if (failure !== undefined) this.log.write("alert", failure);
    }
    this.log.write("notice", "exit");
    this.state = "ended";
    clearTimeout(this.notServing);
    clearInterval(this.presence);
    this.options.onEnd(this.exitCode);
  }

  /** The files of unix sockets belong to whoever listens last: not to us while another binary runs with the same sockets. */
  private ownsSocketFiles(): boolean {
    return this.newBinary === undefined && !this.oldBinaryRuns();
  }

  private oldBinaryRuns(): boolean {
    return this.options.inherited !== undefined && process.ppid === this.options.inherited.oldBinaryPid;
  }

  // The rest.

  private reopen(): void {
    this.log.write("notice", "reopening logs");
    const { configuration } = this.running;
    const files = new Set(configuration.plans.flatMap((plan) => plan.logFiles));
    for (const target of configuration.logTargets) if (target.kind === "file") files.add(target.path);
    for (const file of files) {
      const failure = renewLogFile(file, configuration.workerUser);
      if (failure !== undefined) this.log.write("emerg", failure);
    }
    this.options.onReopen();
    this.pool.reopen();
  }

  /** WINCH: the workers go, the master stays, with its sockets. */
  private pause(): void {
    if (this.state !== "running") return;
    this.isPaused = true;
    this.pool.quit();
  }

  private resume(): void {
    this.isPaused = false;
    this.generation = ++this.lastGeneration;
    void this.startWorkers(this.generation).then((isUp) => {
      if (!isUp || this.state !== "running" || this.isPaused) return;
      this.startCacheKeeper();
      this.keepSpare();
    });
  }

  private isUpgrading(): boolean {
    return this.newBinary !== undefined || this.oldBinaryRuns();
  }

  private changeBinary(): void {
    const { invocation } = this.options;
    if (this.state !== "running") return;
    if (invocation === undefined) {
      this.log.write("error", "changing the binary is not possible: the server runs inside another program");
      return;
    }
    this.log.write("notice", "changing binary");
    const { pidPath } = this.running.configuration;
    const failure = renamePidFile(pidPath, pidPath + OLD_SUFFIX);
    if (failure !== undefined) {
      this.log.write("alert", `${failure} before executing new binary process "${invocation.program}"`);
      return;
    }
    const { environment } = this.options;
    const child = startNewBinary(invocation, this.listening.fds, {
      // A script finds its interpreter by PATH, which nginx, a program, doesn't need.
      PATH: environment["PATH"],
      ...environmentOf(this.running.configuration.core.env, environment),
    });
    this.newBinary = child;
    if (child.pid !== undefined) this.log.write("notice", `start new binary process ${child.pid}`);
    let isGone = false;
    const gone = (how: string, severity: "notice" | "alert"): void => {
      if (isGone) return;
      isGone = true;
      this.log.write(severity, how);
      this.newBinaryGone();
    };
    child.on("error", (error) => gone(`execve() failed while executing new binary process: ${error.message}`, "alert"));
    child.on("exit", (code, signal) => {
      if (signal === null) gone(`new binary process ${child.pid} exited with code ${code}`, "notice");
      else gone(`new binary process ${child.pid} exited on signal ${SIGNAL_NUMBERS[signal]}`, "alert");
    });
  }

  /** The new binary has failed or was stopped: we are the only one again. */
  private newBinaryGone(): void {
    this.newBinary = undefined;
    if (this.state === "ended") return;
    const { pidPath } = this.running.configuration;
    const failure = renamePidFile(pidPath + OLD_SUFFIX, pidPath);
    if (failure !== undefined) this.log.write("alert", `${failure} after the new binary process has exited`);
    if (this.isPaused && this.state === "running") this.resume();
  }
}

/** CLOCK_MONOTONIC, the same for all processes of the machine. */
function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
