/**
 * A worker process: takes its configuration and its listening sockets from the master, gives up root, serves, and ends when
 * it is told to, or when its master is gone. nginx: ngx_worker_process_cycle. (nginx's workers outlive a master that was
 * killed; ours finish their connections and end, so that a new master finds the addresses free.)
 */
import os from "node:os";
import v8 from "node:v8";
import type { HostLookup } from "../base/ip.ts";
import type { Log } from "../base/log.ts";
import type { Service } from "../io/service.ts";
import type { CounterBoard } from "../net/counters.ts";
import { KernelDatagrams } from "../os/datagrams.ts";
import { DescriptorMessages } from "../os/descriptor-channel.ts";
import { printErrno, SystemError } from "../os/errno.ts";
import { close as closeDescriptor, dup2 } from "../os/ffi/files.ts";
import { SystemFiles } from "../os/files.ts";
import { kernelMemory } from "../os/memory.ts";
import { MessageChannel } from "../os/message-channel.ts";
import {
  allowCoreDump,
  becomeUser,
  keepCapabilities,
  onlyNetRaw,
  setAffinity,
  setCoreLimit,
  setOpenFilesLimit,
  setPriority,
} from "../os/privileges.ts";
import { setProcessTitle } from "../os/process-title.ts";
import { createReactor } from "../os/reactor/create.ts";
import type { Affinity } from "./core-module.ts";
import { LogFiles } from "./error-log.ts";
import { ProcessLogging } from "./logging.ts";
import {
  DESCRIPTORS_FD,
  type FromWorker,
  MESSAGES_FD,
  type PrepareMessage,
  type SettleMessage,
  type StartMessage,
  type ToWorker,
  type WorkerRole,
  withDescriptors,
} from "./messages.ts";
import { loadNginxConfiguration, type NginxConfiguration } from "./nginx-configuration.ts";
import { ReplayingReader } from "./recorded-files.ts";
import type { ServiceKind } from "./service-kind.ts";
import { SIGNAL_NUMBERS } from "./signals.ts";
import { beatIntervalMs } from "./watchdog.ts";
import { openWorkerMemory } from "./worker-memory.ts";

const STDERR_FD = 2;
/** The exit code that tells the master not to start the worker again. */
const FATAL = 2;
/** The worker that does what only one of them has to do. */
const SUPERVISOR_INDEX = 0;

/**
 * A client must not hold a worker by a text that a pattern of the configuration backtracks on without end: after some ten thousand steps V8
 * goes on with an engine that takes linear time. It knows no look-around and no references. (PCRE gives up: 500.) An experimental flag is set
 * here: a V8 without it goes on, where node would not start.
 */
const LINEAR_PATTERNS = "--enable-experimental-regexp-engine-on-excessive-backtracks";

/** Runs the worker until the process ends. */
export function runWorker(kinds: readonly ServiceKind[]): void {
  v8.setFlagsFromString(LINEAR_PATTERNS);
  let configured: Configured | undefined;
  let worker: Worker | undefined;
  let beats: NodeJS.Timeout | undefined;
  const beat = (): void => {
    if (worker === undefined) channel.sendAtOnce({ type: "beat" });
    else worker.beat();
  };
  // Until it has something to do.
  setProcessTitle("nginx: spare worker process", "nginx");
  const receive = (message: ToWorker): void => {
    if (message.type === "prepare") {
      configured = load(message, kinds);
      clearInterval(beats);
      const { worker_hang_timeout: boundMs } = configured.configuration.core;
      if (boundMs > 0) beats = setInterval(beat, beatIntervalMs(boundMs));
      channel.send({ type: "prepared" });
    } else if (message.type === "start") worker = new Worker(message, configured as Configured, kinds, channel);
    else if (message.type === "settle") worker?.settle(message);
    else if (message.type === "drain") worker?.drain(message.addresses);
    else if (worker !== undefined) worker.obey(message.type);
    else if (message.type !== "reopen" && message.type !== "report") process.exit(0);
  };
  const channel: Channel = new MessageChannel(MESSAGES_FD, receive, () => {
    if (worker === undefined) process.exit(FATAL);
    worker.masterIsGone();
  });
  const endings = { SIGTERM: "terminate", SIGINT: "terminate", SIGQUIT: "quit" } as const;
  for (const [signal, action] of Object.entries(endings)) {
    process.on(signal, () =>
      worker === undefined ? process.exit(0) : worker.signal(signal as keyof typeof endings, action),
    );
  }
  process.on("SIGUSR1", () => worker?.signal("SIGUSR1", "reopen"));
  process.on("SIGWINCH", () => worker?.noAccept());
  for (const signal of ["SIGHUP", "SIGUSR2"] as const) process.on(signal, () => worker?.ignore(signal));
}

type Channel = MessageChannel<ToWorker, FromWorker>;

/** What a worker has before it works. */
interface Configured {
  readonly configuration: NginxConfiguration;
  /** Host names as the master has found them. */
  readonly lookUp: HostLookup;
  readonly isDaemon: boolean;
}

function load({ request, files, isDaemon }: PrepareMessage, kinds: readonly ServiceKind[]): Configured {
  const source = new ReplayingReader(files);
  const { configuration } = loadNginxConfiguration(request, kinds, source);
  if (configuration === undefined) process.exit(FATAL);
  return { configuration, lookUp: source.lookUp, isDaemon };
}

/** Takes standard error, the listening sockets (`fds[kind][i]`) and the shared memory out of the channel, which is closed then. */
function takeDescriptors({ descriptorCount, listening, shared }: StartMessage) {
  const [standardError = -1, ...others] = new DescriptorMessages().receive(DESCRIPTORS_FD, descriptorCount);
  closeDescriptor(DESCRIPTORS_FD);
  dup2(standardError, STDERR_FD);
  closeDescriptor(standardError);
  const fdOf = (index: number): number => others[index - 1] as number;
  return { fds: listening.map((kind) => kind.map(fdOf)), shared: withDescriptors(shared, fdOf) };
}

class Worker {
  private readonly log: Log;
  private readonly logFiles = new LogFiles();
  private readonly configuration: NginxConfiguration;
  private readonly services: readonly Service[];
  private readonly isDaemon: boolean;
  private readonly role: WorkerRole;
  private readonly listeningFds: ReadonlySet<number>;
  private readonly board: CounterBoard;
  private readonly slot: number;
  private readonly channel: Channel;
  private isQuitting = false;

  constructor(
    message: StartMessage,
    { configuration, lookUp, isDaemon }: Configured,
    kinds: readonly ServiceKind[],
    channel: Channel,
  ) {
    this.channel = channel;
    this.configuration = configuration;
    this.isDaemon = isDaemon;
    this.role = message.role;
    const { fds, shared } = takeDescriptors(message);
    const memory = openWorkerMemory(shared, message.slot);
    this.listeningFds = new Set(fds.flat());
    this.board = memory.counters;
    this.slot = message.slot;
    const { reactor, refusal } = createReactor(
      configuration.events.use,
      shared.clockOriginMs,
      configuration.events.epoll_events,
    );
    const logging = new ProcessLogging(this.logFiles, reactor.clock);
    this.log = logging.openLog(this.configuration.logTargets);
    if (refusal !== undefined) this.log.write("notice", `${refusal.message}, using the "epoll" event method`);
    this.watchForDefects();
    try {
      const { events, main } = this.configuration;
      const ports = {
        reactor,
        files: new SystemFiles(),
        memory: kernelMemory,
        ...memory,
        slot: message.slot,
        lookUp,
        datagrams: new KernelDatagrams(),
        log: this.log,
        logging,
        workerConnections: events.worker_connections,
        multiAccept: events.multi_accept,
      };
      this.services =
        message.role === "worker"
          ? kinds.map((kind) => kind.create(main, ports))
          : kinds.flatMap((kind) => kind.createCacheKeeper?.(main, ports) ?? []);
      this.prepareProcess(message.index);
      for (const [kind, service] of this.services.entries()) service.start(fds[kind] ?? []);
    } catch (error) {
      this.log.write("emerg", (error as Error).message);
      process.exit(FATAL);
    }
    setProcessTitle(`nginx: ${message.role} process`, "nginx");
    if (message.index === SUPERVISOR_INDEX) this.supervise();
    this.channel.send({ type: "ready" });
  }

  /** Limits and rights, in nginx's order. `index` is -1 for a process that is none of the workers. */
  private prepareProcess(index: number): void {
    const { core, workerUser } = this.configuration;
    const attempt = (change: () => void): void => {
      try {
        change();
      } catch (error) {
        const text = error instanceof SystemError ? error.message : `${(error as Error).message}`;
        this.log.write("alert", text);
      }
    };
    if (core.worker_priority !== 0 && index >= 0) attempt(() => setPriority(core.worker_priority));
    const { worker_rlimit_nofile: files, worker_rlimit_core: core_bytes } = core;
    if (files !== undefined) attempt(() => setOpenFilesLimit(files));
    if (core_bytes !== undefined) attempt(() => setCoreLimit(core_bytes));
    if (workerUser !== undefined) {
      // Its sockets may bear addresses of others; the rest of root's rights goes. nginx: `transparent` of ngx_core_conf_t.
      const keepsRaw = this.services.some(({ bindsForeign }) => bindsForeign === true);
      if (keepsRaw) this.complain("prctl(PR_SET_KEEPCAPS)", keepCapabilities());
      const failed = becomeUser(workerUser.name, workerUser.userId, workerUser.groupId);
      if (failed !== 0)
        this.log.write("emerg", `initgroups(${workerUser.name}, ${workerUser.groupId}) failed`, { errno: failed });
      if (keepsRaw) this.complain("capset()", onlyNetRaw());
    }
    const processors = index < 0 ? undefined : processorsOf(core.worker_cpu_affinity, index);
    if (processors !== undefined) attempt(() => setAffinity(processors));
    allowCoreDump();
    if (core.working_directory !== undefined) {
      try {
        process.chdir(Buffer.from(core.working_directory, "latin1").toString());
      } catch (error) {
        const code = -((error as { errno?: number }).errno ?? 0);
        throw new Error(`chdir("${core.working_directory}") failed ${printErrno(code)}`);
      }
    }
  }

  private complain(call: string, errno: number): void {
    if (errno !== 0) this.log.write("emerg", `${call} failed`, { errno });
  }

  /** A defect of this program costs this worker's connections only: it is logged, and the master starts another. */
  private watchForDefects(): void {
    process.on("uncaughtException", (error) => {
      this.log.write("alert", `worker process failed: ${error.stack ?? error.message}`);
      const { debug_points: point } = this.configuration.core;
      if (point === "abort") process.abort();
      if (point === "stop") process.kill(process.pid, "SIGSTOP");
      process.exit(1);
    });
  }

  obey(action: "quit" | "terminate" | "reopen" | "report"): void {
    if (action === "terminate") this.exit();
    switch (action) {
      case "quit":
        this.quit();
        return;
      case "reopen":
        this.reopen();
        return;
      case "report":
        this.tellUpstreams();
        this.channel.send({
          type: "counters",
          counters: this.board.of(this.slot),
        });
    }
  }

  /** Its loop turns. */
  beat(): void {
    this.board.beat(this.slot);
  }

  drain(addresses: readonly string[]): void {
    for (const service of this.services) service.drain?.(addresses);
  }

  settle({ debtor }: SettleMessage): void {
    for (const service of this.services) service.settle?.(debtor);
  }

  /** A signal that was sent to this worker itself. */
  signal(signal: "SIGTERM" | "SIGINT" | "SIGQUIT" | "SIGUSR1", action: "terminate" | "quit" | "reopen"): void {
    // Ctrl-C on a terminal reaches the whole process group: the master, which has got it too, decides what comes first.
    if (signal === "SIGINT" && !this.isDaemon && this.channel.isOpen) return;
    const consequence = { terminate: "exiting", quit: "shutting down", reopen: "reopening logs" }[action];
    this.log.write("notice", `signal ${SIGNAL_NUMBERS[signal]} (${signal}) received, ${consequence}`);
    this.obey(action);
  }

  /** WINCH, which means nothing on a terminal: its window has changed its size. */
  noAccept(): void {
    if (!this.isDaemon) return;
    this.log.write("notice", "signal 28 (SIGWINCH) received, shutting down");
    this.quit();
  }

  ignore(signal: "SIGHUP" | "SIGUSR2"): void {
    this.log.write("notice", `signal ${SIGNAL_NUMBERS[signal]} (${signal}) received, ignoring`);
  }

  masterIsGone(): void {
    if (!this.isQuitting) this.log.write("alert", "the master process is gone");
    this.quit();
  }

  private quit(): void {
    if (this.isQuitting) return;
    this.isQuitting = true;
    this.log.write("notice", "gracefully shutting down");
    setProcessTitle(`nginx: ${this.role} process is shutting down`, "nginx");
    const timeoutMs = this.configuration.core.worker_shutdown_timeout;
    if (timeoutMs !== undefined) {
      setTimeout(() => {
        for (const service of this.services) service.terminate();
        this.exit();
      }, timeoutMs);
    }
    let busy = this.services.length;
    const idle = (): void => {
      if (--busy <= 0) this.exit();
    };
    if (busy === 0) this.exit();
    for (const service of this.services) service.quiesce(idle);
    // The last one that has a socket open keeps it listening: whoever connects then would wait for nobody.
    for (const fd of this.listeningFds) closeDescriptor(fd);
  }

  private supervise(): void {
    for (const service of this.services) service.supervise?.(() => this.tellUpstreams());
  }

  private tellUpstreams(): void {
    const upstreams = this.services.flatMap((service) => service.upstreams?.() ?? []);
    if (upstreams.length > 0) this.channel.send({ type: "upstreams", upstreams });
  }

  private reopen(): void {
    this.log.write("notice", "reopening logs");
    this.logFiles.reopen((sentence) => this.log.write("emerg", sentence));
    for (const service of this.services) service.reopenLogs();
  }

  private exit(): never {
    this.log.write("notice", "exiting");
    // Buffered access logs are written out by this.
    for (const service of this.services) service.terminate();
    this.log.write("notice", "exit");
    process.exit(0);
  }
}

/** The processors that worker number `index` is bound to; undefined: any. nginx: ngx_get_cpu_affinity. */
export function processorsOf(affinity: Affinity | undefined, index: number): readonly number[] | undefined {
  if (affinity === undefined) return undefined;
  const { isAuto, masks } = affinity;
  if (!isAuto) return masks[Math.min(index, masks.length - 1)];
  const usable = masks[0] ?? os.cpus().map((_, processor) => processor);
  return usable.length === 0 ? undefined : [usable[index % usable.length] as number];
}
