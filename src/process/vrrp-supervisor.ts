/**
 * The parent of the VRRP process: starts it again when it dies, says goodbye in its place, runs scripts, writes pipes,
 * watches processes and files. It has no routers of its own and may be slow without harm. keepalived's counterpart: the
 * parent process, main.c, with the scripts of the vrrp child.
 *
 * `tandem up` runs one beside the nginx master: signals are the caller's business.
 */
import { uptime } from "node:os";
import type { VrrpStatus } from "../admin/status.ts";
import type { Log } from "../base/log.ts";
import type { KeepalivedConfig } from "../conf/keepalived/config.ts";
import type { UpstreamState } from "../io/service.ts";
import { KernelDetours } from "../os/detours.ts";
import { KernelRoutes } from "../os/routes.ts";
import { openRouting } from "../os/routing.ts";
import { KernelSegments } from "../os/segments.ts";
import { KernelVirtualLinks } from "../os/virtual-links.ts";
import type { HandoverResult } from "../vrrp/handovers.ts";
import type { RecordKind } from "../vrrp/partner-records.ts";
import type { UpstreamHealth } from "../vrrp/track.ts";
import { CrashGuard } from "./crash-guard.ts";
import { FileTracker } from "./file-tracker.ts";
import { type FlightAnswer, FlightDesk, type PackedRecord } from "./flight-desk.ts";
import { Incidents } from "./incidents.ts";
import { Mailer, STOP_MAIL_MS } from "./mailer.ts";
import { nodeFiles, packNodeFiles, type RunningConfiguration } from "./node-files.ts";
import type { NodeAnswer, NodeOrder } from "./node-orders.ts";
import { NodeSettings } from "./node-settings.ts";
import { Notifier } from "./notifier.ts";
import { type PeersAnswer, partnerFiles } from "./peers-answer.ts";
import { ProcessTracker } from "./process-tracker.ts";
import { CommandRunner, runToEnd } from "./run-command.ts";
import { ScriptChecker } from "./script.ts";
import { type Said, SupervisedChild } from "./supervised-child.ts";
import { trackedUpstreams, upstreamHealth } from "./upstream-health.ts";
import { type FromVrrpProcess, nodeConfig, type ProcessReport, type ToVrrpProcess } from "./vrrp-messages.ts";
import { vrrpStatus } from "./vrrp-status.ts";
import { beatIntervalMs, hangBoundMs, SUPERVISOR_BOUND_MS } from "./watchdog.ts";
import { Witnesses } from "./witnesses.ts";

/** How long a report may take: the process answers between two adverts. */
const REPORT_MS = 2000;
/** A hand-over to a router without peer channel takes up to five adverts, of at most 255 s each. */
const HANDOVER_MS = 1_300_000;
/** A little more than the VRRP process waits for its partners. */
const PARTNERS_MS = 4500;
/** What a stop waits for a partner to take over, before it leaves without. */
const STOP_HANDOVER_MS = 1500;

/** Which instances are to be given away, and how. */
export interface HandoverRequest {
  /** undefined: all that are active. */
  readonly instances: readonly string[] | undefined;
  /** How long open connections may go on here; undefined: as configured. */
  readonly limitMs: number | undefined;
  readonly mayLower: boolean;
}

export interface SupervisorOptions {
  readonly log: Log;
  readonly config: KeepalivedConfig;
  /** keepalived's -R: the death of the VRRP process ends the supervisor too; `onGone` is called. */
  readonly dontRespawn?: boolean;
  readonly onGone?: () => void;
  /** For a daemon: the VRRP process gets neither standard output nor standard error. */
  readonly isDaemon?: boolean;
  /** Addresses that another node has now and whose clients are still served here, whenever they have changed. */
  readonly onDraining?: (addresses: readonly string[]) => void;
  /** Told the process id of every VRRP process that is started, for its pid file; undefined when it has ended. */
  readonly onVrrpPid?: (pid: number | undefined) => void;
  /** What the node runs, for a partner that compares it with its own; undefined: it is not told. */
  readonly configuration?: () => RunningConfiguration;
  /** Told whenever a BFD session comes up or goes down. */
  readonly onSession?: (name: string, isUp: boolean) => void;
}

export class VrrpSupervisor {
  readonly #options: SupervisorOptions;
  readonly #log: Log;
  #config: KeepalivedConfig;
  readonly #guard: CrashGuard;
  readonly #runner: CommandRunner;
  readonly #notifier: Notifier;
  readonly #mailer: Mailer;
  readonly #node: NodeSettings;
  readonly #flight: FlightDesk;
  readonly #witnesses: Witnesses;
  readonly #incidents: Incidents;
  readonly #routing = openRouting();
  readonly #detours = new KernelDetours();
  readonly #links = new KernelVirtualLinks();
  readonly #routes = new KernelRoutes();
  readonly #child: SupervisedChild<ToVrrpProcess, FromVrrpProcess>;
  /** Lets the VRRP process see that this loop turns. */
  #beats: NodeJS.Timeout | undefined;
  #scripts = new Map<string, ScriptChecker>();
  #processes: ProcessTracker | undefined;
  #files: FileTracker | undefined;
  /** As the web server has told last. */
  #upstreams = new Map<string, UpstreamHealth>();
  #isStopping = false;
  /** Why this node cannot serve; undefined: it can. */
  #fault: string | undefined;
  /** Addresses whose connections go on here although another node has them. */
  #draining: readonly string[] = [];
  #isDrained = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#log = options.log;
    this.#config = options.config;
    const [segments, routing, detours, links] = [new KernelSegments(), this.#routing, this.#detours, this.#links];
    this.#guard = new CrashGuard(segments, routing, detours, links, this.#routes, options.log, Date.now);
    this.#runner = new CommandRunner(options.log, options.config.globals.scriptUser);
    this.#notifier = new Notifier(this.#runner, options.log);
    this.#mailer = new Mailer(options.log);
    this.#node = new NodeSettings(options.log);
    this.#flight = new FlightDesk(options.log, options.config);
    const supervisor = this;
    this.#incidents = new Incidents(options.log, {
      get config() {
        return supervisor.config;
      },
      get kept() {
        return supervisor.#draining;
      },
      why: () => this.why(),
      save: (name, report) => this.#flight.report(name, report),
      note: (text) => this.#flight.note(text),
    });
    this.#witnesses = new Witnesses(options.log, (instance, untilMs) =>
      this.#child.send({ kind: "witness", instance, untilMs }),
    );
    this.#child = this.#makeChild();
  }

  get config(): KeepalivedConfig {
    return this.#config;
  }

  /** Resolves when the routers run. Rejects when the VRRP process ends before that. */
  async start(): Promise<void> {
    const { startupScript, startupScriptTimeoutMs } = this.#config.globals;
    if (startupScript !== undefined) await runToEnd(this.#runner, this.#log, startupScript, startupScriptTimeoutMs);
    this.#notifier.configure(this.#config.globals);
    this.#mailer.configure(this.#config);
    this.#node.apply(this.#config);
    this.#beats = setInterval(() => this.#child.send({ kind: "beat" }), beatIntervalMs(SUPERVISOR_BOUND_MS));
    this.#beats.unref();
    await this.#child.start();
  }

  /** Takes a new configuration over; adverts go on meanwhile. */
  reload(config: KeepalivedConfig): void {
    this.#log.write("notice", "Reloading");
    this.#config = config;
    this.#flight.configure(config);
    this.#witnesses.configure(config);
    this.#runner.setDefaultUser(config.globals.scriptUser);
    this.#notifier.configure(config.globals);
    this.#mailer.configure(config);
    this.#node.apply(config);
    const beatMs = beatIntervalMs(this.#hangBoundMs());
    this.#child.reload({ kind: "reload", config: nodeConfig(config, uptime() * 1000), beatMs });
    this.#track();
    if (config.globals.writeStatesToFifoOnReload) void this.#repeatStates();
    this.#log.write("notice", "Reload finished");
  }

  /** Priority 0, addresses removed, scripts ended; resolves when all that is done. */
  async stop(): Promise<void> {
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.#log.write("notice", "Stopping");
    if (this.#child.pid !== undefined) await this.#leaveToPartner();
    await this.#child.stop({ kind: "stop" }, this.#config.globals.childWaitMs);
    clearInterval(this.#beats);
    this.#closeTrackers();
    this.#notifier.close();
    await this.#mailer.close(STOP_MAIL_MS);
    this.#node.undo();
    this.#routing.close();
    this.#detours.close();
    this.#links.close();
    this.#routes.close();
    this.#witnesses.close();
    this.#incidents.close();
    await this.#flight.close();
    const { shutdownScript, shutdownScriptTimeoutMs } = this.#config.globals;
    if (shutdownScript !== undefined) await runToEnd(this.#runner, this.#log, shutdownScript, shutdownScriptTimeoutMs);
  }

  /** A Tandem partner takes over before this node lets go; any other one is told by adverts of priority 0. */
  async #leaveToPartner(): Promise<void> {
    if (this.#config.globals.peer.key === undefined) return;
    const moved = this.handOver({ instances: undefined, limitMs: 0, mayLower: false });
    await Promise.race([moved, new Promise((resolve) => setTimeout(resolve, STOP_HANDOVER_MS).unref())]);
  }

  /** What the routers say; undefined when the process doesn't answer in time. */
  async report(): Promise<ProcessReport | undefined> {
    return (await this.#child.ask("report", REPORT_MS, (id) => ({ kind: "report", id })))?.report;
  }

  /** What has happened in the last minutes, here and at partners that are on the peer channel. */
  async why(): Promise<FlightAnswer> {
    return this.#flight.answer(await this.#askPartners("flight"));
  }

  /** The configuration of this node and those of its partners. Rejects with a sentence when it has no peer channel. */
  async peers(): Promise<PeersAnswer> {
    const { key } = this.#config.globals.peer;
    if (key === undefined)
      throw new Error("this node has no peer channel: no peer_key is configured (docs/peer-channel.md)");
    const running = this.#options.configuration?.();
    if (running === undefined) throw new Error("this node does not tell its configuration");
    const own = nodeFiles(running, this.#config);
    const records = await this.#askPartners("configuration");
    return { own, partners: records.map((record) => partnerFiles(record, key)) };
  }

  #ownRecord(what: RecordKind): Uint8Array {
    if (what === "flight") return this.#flight.packed();
    const { key } = this.#config.globals.peer;
    const running = this.#options.configuration?.();
    return key === undefined || running === undefined ? new Uint8Array(0) : packNodeFiles(running, this.#config, key);
  }

  async #askPartners(what: RecordKind): Promise<readonly PackedRecord[]> {
    if (this.#config.globals.peer.key === undefined) return [];
    const answer = await this.#child.ask("partnerRecords", PARTNERS_MS, (id) => ({ kind: "askPartners", id, what }));
    return answer?.records ?? [];
  }

  async status(): Promise<VrrpStatus> {
    return vrrpStatus(this.#config, await this.report(), {
      pid: this.#child.pid,
      restarts: this.#child.restarts,
      scripts: new Map([...this.#scripts].map(([name, checker]) => [name, checker.last])),
      processCounts: this.#processes?.counts ?? new Map(),
      fileValues: this.#files?.values ?? new Map(),
      upstreams: this.#upstreams,
    });
  }

  /**
   * Gives instances to the partner; resolves when each has moved or is known not to. `mayLower`: also to a partner without peer
   * channel, which breaks open connections.
   */
  async handOver(request: HandoverRequest): Promise<readonly HandoverResult[]> {
    const answer = await this.#child.ask("handedOver", HANDOVER_MS, (id) => ({ kind: "handOver", id, ...request }));
    return answer?.results ?? [];
  }

  /** What the status socket was told. */
  async obey(order: NodeOrder): Promise<NodeAnswer> {
    if (order.order === "handover") return { results: await this.handOver(order) };
    if (!order.isDrained) {
      this.drain(false);
      return { results: [] };
    }
    // First the addresses go: a node that wants none ranks too low to give them to anybody in particular.
    const results = await this.handOver({ instances: undefined, limitMs: order.limitMs, mayLower: true });
    this.drain(true);
    return { results };
  }

  /** This node wants no address from now on, or wants what is configured again. */
  drain(isDrained: boolean): void {
    this.#isDrained = isDrained;
    this.#child.send({ kind: "drain", isDrained });
  }

  /** This node cannot serve, so it must not have an address; undefined: it can again. */
  observeFault(fault: string | undefined): void {
    this.#fault = fault;
    this.#child.send({ kind: "fault", fault });
  }

  /** How the upstreams of the web server are. */
  observeUpstreams(states: readonly UpstreamState[]): void {
    const before = this.#upstreams;
    this.#upstreams = new Map(states.map((state) => [state.name, upstreamHealth(state)]));
    for (const name of new Set([...before.keys(), ...this.#upstreams.keys()])) this.#tellUpstream(name);
  }

  /** Only what is tracked is told; the node itself knows whether that is news. */
  #tellUpstream(name: string): void {
    const isTracked = trackedUpstreams(this.#config).some((track) => track.name === name);
    if (isTracked) this.#child.send({ kind: "upstream", name, health: this.#upstreams.get(name) });
  }

  /** SIGSTATS_CLEAR. */
  clearStatistics(): void {
    this.#child.send({ kind: "clearStatistics" });
  }

  #hangBoundMs(): number {
    return hangBoundMs(Math.min(40_950, ...this.#config.instances.map(({ advertIntervalMs }) => advertIntervalMs)));
  }

  #makeChild(): SupervisedChild<ToVrrpProcess, FromVrrpProcess> {
    const { isDaemon, dontRespawn, onVrrpPid, onGone } = this.#options;
    return new SupervisedChild({
      name: "VRRP",
      program: "vrrp.cjs",
      log: this.#log,
      isQuiet: isDaemon === true,
      lentFd: this.#flight.fd,
      dontRespawn: dontRespawn === true,
      boundMs: () => this.#hangBoundMs(),
      greeting: () => ({
        kind: "start",
        config: nodeConfig(this.#config, uptime() * 1000),
        process: this.#config.globals.process,
        beatMs: beatIntervalMs(this.#hangBoundMs()),
        hasFlightMemory: this.#flight.fd !== undefined,
        fault: this.#fault,
      }),
      onMessage: (message) => this.#receive(message),
      // First of all the addresses go; everything else can wait.
      onDead: () => this.#letGo(),
      onEnd: (how, isCrash) => this.#ended(how, isCrash),
      onGone: () => onGone?.(),
      onPid: (pid) => onVrrpPid?.(pid),
    });
  }

  #receive(message: Said<FromVrrpProcess>): void {
    switch (message.kind) {
      case "ready":
        this.#log.write("notice", "Startup complete");
        if (this.#isDrained) this.drain(true);
        this.#witnesses.configure(this.#config);
        this.#track();
        break;
      case "log":
        this.#log.write(message.level, message.text);
        break;
      case "guard":
        this.#guard.remember(message.router, message.farewell);
        break;
      case "notify":
        this.#notifier.notify(message.event);
        this.#mailer.notify(message.event);
        if (message.event.type === "INSTANCE") this.#flight.told(message.event);
        this.#incidents.told(message.event);
        break;
      case "session":
        this.#options.onSession?.(message.name, message.isUp);
        break;
      case "draining":
        this.#draining = message.addresses;
        this.#options.onDraining?.(message.addresses);
        break;
      case "want":
        this.#witnesses.want(message.instance, message.isWanted);
        break;
      case "recordWanted":
        this.#child.send({ kind: "ownRecord", id: message.id, bytes: this.#ownRecord(message.what) });
        break;
    }
  }

  #letGo(): void {
    this.#flight.left(this.#guard.held);
    this.#guard.release();
  }

  #ended(how: string, isCrash: boolean): void {
    // What it has said at its very end may have been about another address.
    this.#letGo();
    this.#witnesses.wantNothing();
    this.#draining = [];
    this.#options.onDraining?.([]);
    if (isCrash) this.#flight.died(how);
  }

  /** Starts everything that is watched from this process; what was known is told to a new VRRP process as well. */
  #track(): void {
    this.#closeTrackers();
    const { scripts, trackProcesses, trackFiles, instances, syncGroups } = this.#config;
    const tracks = [...instances, ...syncGroups].map((owner) => owner.tracks);
    const isUsed = (kind: "scripts" | "processes" | "files", name: string): boolean =>
      tracks.some((track) => track[kind].some((entry) => entry.name === name));
    for (const script of scripts) {
      if (!isUsed("scripts", script.name)) continue;
      const { name } = script;
      const tell = (succeeded: boolean): void => this.#child.send({ kind: "script", name, succeeded });
      this.#scripts.set(name, new ScriptChecker(script, this.#runner, this.#log, tell));
    }
    this.#processes = new ProcessTracker(
      trackProcesses.filter(({ name }) => isUsed("processes", name)),
      (name, running) => this.#child.send({ kind: "processes", name, running }),
    );
    this.#files = new FileTracker(
      trackFiles.filter(({ name }) => isUsed("files", name)),
      this.#log,
      (name, value) => this.#child.send({ kind: "file", name, value }),
    );
    for (const name of this.#upstreams.keys()) this.#tellUpstream(name);
    for (const { name } of trackedUpstreams(this.#config))
      if (this.#upstreams.size > 0 && !this.#upstreams.has(name))
        this.#log.write("warn", `track_upstream ${name}: the web server has no such upstream`);
  }

  #closeTrackers(): void {
    for (const checker of this.#scripts.values()) checker.close();
    this.#scripts = new Map();
    this.#processes?.close();
    this.#files?.close();
  }

  async #repeatStates(): Promise<void> {
    const report = await this.report();
    for (const { name, role, effectivePriority } of report?.routers ?? []) {
      if (role === "init") continue;
      const state = role === "active" ? "MASTER" : role === "backup" ? "BACKUP" : "FAULT";
      const commands = { specific: undefined, any: undefined };
      this.#notifier.notify({ type: "INSTANCE", name, state, priority: effectivePriority, commands });
    }
  }
}
