/**
 * Both halves of a node beside each other in one process: the nginx master and the VRRP supervisor. What is more than their
 * sum happens here: the address is claimed only when the workers accept, and is let go of before they end.
 */
import type { HttpStatus, PeerStatus } from "../admin/status.ts";
import { TANDEM_VERSION } from "../base/version.ts";
import type { LoadedKeepalived } from "../conf/keepalived/load.ts";
import { printKeepalivedDiagnostic } from "../conf/keepalived/report.ts";
import type { PeerState, UpstreamState } from "../io/service.ts";
import { hasTerminal, setProcessTitle } from "../os/process-title.ts";
import { CheckerHalf, serverFaults } from "../process/checker-half.ts";
import {
  type KeepalivedRequest,
  type LoadedFromDisk,
  loadKeepalivedConfiguration,
} from "../process/keepalived-configuration.ts";
import { KeepalivedLog } from "../process/keepalived-log.ts";
import { defaultPidFiles } from "../process/keepalived-paths.ts";
import { KeepalivedReload } from "../process/keepalived-reload.ts";
import type { MasterStatus } from "../process/master.ts";
import { namespaceFaults } from "../process/net-namespace.ts";
import type { ConfigurationRequest, NginxConfiguration } from "../process/nginx-configuration.ts";
import { nginxKinds } from "../process/nginx-kinds.ts";
import { NginxServer } from "../process/nginx-server.ts";
import type { RunningConfiguration } from "../process/node-files.ts";
import type { NodeOrder } from "../process/node-orders.ts";
import type { SpareWorkers } from "../process/spare-workers.ts";
import { StatusSocket } from "../process/status-socket.ts";
import { upstreamFaults } from "../process/upstream-health.ts";
import { VrrpSupervisor } from "../process/vrrp-supervisor.ts";
import { UNSERVED } from "../vrrp/unserved.ts";
import { nginxServer } from "./nginx.ts";
import { printError } from "./standard-error.ts";

/** Between the address and the listening sockets: what neighbours have sent before they knew. */
const LATE_CLIENTS_MS = 300;

export interface UpRequest {
  readonly nginx: ConfigurationRequest | undefined;
  readonly keepalived: KeepalivedRequest | undefined;
  /** "" for none. */
  readonly socket: string;
  /** May have been started already. */
  readonly spare: SpareWorkers;
}

export class UpProgram {
  readonly #request: UpRequest;
  readonly #log = new KeepalivedLog({ console: true, detail: true, facility: undefined });
  #nginx: NginxServer | undefined;
  #supervisor: VrrpSupervisor | undefined;
  #checkers: CheckerHalf | undefined;
  /** What the supervisor's configuration was read from. */
  #keepalivedSource: RunningConfiguration["keepalived"] | undefined;
  #reloads: KeepalivedReload<LoadedFromDisk> | undefined;
  /** As the workers have told last. */
  #upstreams: readonly UpstreamState[] = [];
  /** Why the web server cannot serve; undefined: it can. */
  #fault: string | undefined;
  #isEnding = false;
  /** The exit code of the nginx half, when it has ended, whatever the cause. */
  #nginxEnd: Promise<number> = Promise.resolve(0);
  #end: (status: number) => void = () => {};
  readonly #ended = new Promise<number>((resolve) => {
    this.#end = resolve;
  });

  constructor(request: UpRequest) {
    this.#request = request;
  }

  /** The exit status, when the node has ended or could not start. */
  async run(): Promise<number> {
    setProcessTitle(`tandem: up ${process.argv.slice(3).join(" ")}`, "tandem");
    // Both files are read before anything runs: half a node is worse than none.
    const keepalived = this.#loadKeepalived();
    const nginx = this.#request.nginx === undefined ? undefined : this.#loadNginx(this.#request.nginx);
    const areKnown = this.#areUpstreamsKnown(keepalived, nginx?.configuration);
    const isUsable = keepalived?.isUsable !== false && areKnown;
    if (!isUsable) printError(`tandem: ${this.#request.keepalived?.file} cannot be used`);
    if (!isUsable || (this.#request.nginx !== undefined && nginx === undefined)) return 1;
    this.#listenToSignals();
    if (nginx !== undefined && !(await this.#startNginx(nginx))) return 1;
    if (keepalived !== undefined && !(await this.#startVrrp(keepalived))) {
      await this.#stop("SIGTERM");
      return 1;
    }
    const socket = await this.#openStatusSocket();
    const status = await this.#ended;
    socket?.close();
    return status;
  }

  #loadKeepalived(): LoadedFromDisk | undefined {
    if (this.#request.keepalived === undefined) return undefined;
    const loaded = this.#readKeepalived(this.#request.keepalived);
    this.#complain(loaded);
    return loaded;
  }

  #readKeepalived(request: KeepalivedRequest): LoadedFromDisk {
    const loaded = loadKeepalivedConfiguration(request);
    const faults = loaded.isUsable ? [...serverFaults(loaded.config), ...namespaceFaults(loaded.config)] : [];
    const diagnostics = [...loaded.diagnostics, ...faults];
    return { ...loaded, diagnostics, isUsable: loaded.isUsable && faults.length === 0 };
  }

  #complain({ diagnostics }: LoadedKeepalived): void {
    for (const diagnostic of diagnostics) this.#log.write(diagnostic.severity, printKeepalivedDiagnostic(diagnostic));
  }

  /** Whether everything is there that VRRP shall follow; what isn't is told. */
  #areUpstreamsKnown(keepalived: LoadedKeepalived | undefined, nginx: NginxConfiguration | undefined): boolean {
    if (keepalived === undefined || (this.#request.nginx !== undefined && nginx === undefined)) return true;
    const shared = nginx && new Set(nginx.plans.flatMap(({ sharedUpstreams }) => sharedUpstreams ?? []));
    const faults = upstreamFaults(keepalived.config, shared);
    for (const fault of faults) this.#log.write(fault.severity, printKeepalivedDiagnostic(fault));
    return faults.length === 0;
  }

  /** Undefined when it cannot be used; why has been told. */
  #loadNginx(request: ConfigurationRequest): { server: NginxServer; configuration: NginxConfiguration } | undefined {
    const server = new NginxServer({
      request,
      kinds: nginxKinds,
      workerProgram: nginxServer.workerProgram,
      spare: this.#request.spare,
      invocation: undefined,
      environment: { ...process.env },
      // On a terminal WINCH says that its window has changed, not that the workers shall go.
      isDaemon: !hasTerminal(),
      ownsStandardError: false,
      onReloadRefused: () =>
        this.#log.write("error", `Reload refused: ${request.layout.confPath} cannot be used, the old one stays`),
      onUpstreams: (states) => {
        this.#upstreams = states;
        this.#supervisor?.observeUpstreams(states);
      },
      onServing: (isServing) => {
        this.#fault = isServing ? undefined : UNSERVED;
        this.#supervisor?.observeFault(this.#fault);
      },
      printError,
    });
    const loaded = server.load();
    server.tell([...loaded.diagnostics, ...loaded.lateDiagnostics]);
    const { configuration } = loaded;
    return configuration === undefined ? undefined : { server, configuration };
  }

  async #startNginx({ server, configuration }: { server: NginxServer; configuration: NginxConfiguration }) {
    this.#nginx = server;
    if (!server.openLogFiles(configuration)) return false;
    let end: (code: number) => void = () => {};
    this.#nginxEnd = new Promise((resolve) => {
      end = resolve;
    });
    if (!(await server.start(configuration, end))) return false;
    void this.#nginxEnd.then((code) => this.#nginxEnded(code));
    return true;
  }

  async #startVrrp(loaded: LoadedFromDisk): Promise<boolean> {
    this.#keepalivedSource = loaded.source;
    const checkers = new CheckerHalf({ log: this.#log });
    this.#checkers = checkers;
    const onSession = (name: string, isUp: boolean): void => checkers.session(name, isUp);
    const supervisor = new VrrpSupervisor({
      log: this.#log,
      config: loaded.config,
      onSession,
      onDraining: (addresses) => this.#nginx?.drain(addresses),
      configuration: () => ({
        keepalived: this.#keepalivedSource ?? loaded.source,
        nginx: this.#nginx?.runningFiles,
      }),
    });
    this.#supervisor = supervisor;
    const request = this.#request.keepalived as KeepalivedRequest;
    this.#reloads = new KeepalivedReload(loaded.config.globals, {
      log: this.#log,
      load: () => this.#readKeepalived(request),
      complain: (found) => this.#complain(found),
      apply: ({ config, source }) => {
        this.#keepalivedSource = source;
        supervisor.reload(config);
        checkers.reload(config);
      },
      reloadFile: defaultPidFiles(loaded.config.globals, undefined).reload,
    });
    supervisor.observeUpstreams(this.#upstreams);
    if (this.#fault !== undefined) supervisor.observeFault(this.#fault);
    try {
      await checkers.start(loaded.config);
      await supervisor.start();
      return true;
    } catch (error) {
      printError(`tandem: ${(error as Error).message}`);
      return false;
    }
  }

  async #openStatusSocket(): Promise<StatusSocket | undefined> {
    if (this.#request.socket === "") return undefined;
    const supervisor = this.#supervisor;
    const nginx = this.#nginx;
    const checkers = this.#checkers;
    const socket = new StatusSocket(this.#request.socket, {
      ...(supervisor === undefined
        ? {}
        : {
            vrrp: () => supervisor.status(),
            why: () => supervisor.why(),
            peers: () => supervisor.peers(),
            obey: (order: NodeOrder) => supervisor.obey(order),
          }),
      ...(checkers === undefined ? {} : { servers: () => checkers.status() }),
      ...(nginx === undefined ? {} : { http: async () => httpStatus(await nginx.status()) }),
    });
    try {
      await socket.open();
      return socket;
    } catch (error) {
      this.#log.write("warn", `tandem status will not work: ${(error as Error).message}`);
      return undefined;
    }
  }

  #listenToSignals(): void {
    process.on("SIGHUP", () => this.#reload());
    for (const signal of ["SIGTERM", "SIGINT", "SIGQUIT"] as const)
      process.on(signal, () => {
        void this.#stop(signal === "SIGQUIT" ? "SIGQUIT" : "SIGTERM").then((code) => this.#end(code));
      });
    process.on("SIGUSR1", () => this.#nginx?.signal("SIGUSR1"));
    process.on("SIGWINCH", () => this.#nginx?.signal("SIGWINCH"));
    process.on("SIGUSR2", () =>
      this.#log.write("warn", "tandem up does not change its binary; restart it after the partner has taken over"),
    );
  }

  #reload(): void {
    this.#nginx?.signal("SIGHUP");
    this.#reloads?.reload();
  }

  /** The address first: new clients go to the partner while this node's workers still answer their last requests. */
  async #stop(signal: "SIGTERM" | "SIGQUIT"): Promise<number> {
    if (this.#isEnding) {
      if (signal === "SIGTERM") this.#nginx?.signal("SIGTERM");
      return this.#ended;
    }
    this.#isEnding = true;
    this.#reloads?.close();
    this.#log.write("notice", `Tandem ${TANDEM_VERSION} is ending${signal === "SIGQUIT" ? " gracefully" : ""}`);
    const keepsConnections = signal === "SIGQUIT" && (await this.#handOver());
    if (!keepsConnections) await this.#stopRouters();
    if (this.#nginx === undefined) return 0;
    this.#nginx.signal(signal);
    const code = await this.#nginxEnd;
    if (keepsConnections) await this.#stopRouters();
    return code;
  }

  /** A graceful end: a Tandem partner takes everything, and sends the packets of this node's connections on until they have ended. */
  async #handOver(): Promise<boolean> {
    if (this.#nginx === undefined || this.#supervisor === undefined) return false;
    const request = { instances: undefined, limitMs: undefined, mayLower: false };
    const results = await this.#supervisor.handOver(request);
    if (results.length === 0 || !results.every(({ isMoved }) => isMoved)) return false;
    // Connections that have been under way to this node are still accepted.
    await new Promise((resolve) => setTimeout(resolve, LATE_CLIENTS_MS));
    return true;
  }

  async #stopRouters(): Promise<void> {
    await this.#supervisor?.stop();
    await this.#checkers?.stop();
  }

  /** A node that can't serve must not hold the address. */
  #nginxEnded(code: number): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.#log.write("alert", `the web server has ended with code ${code}, so the node ends`);
    void this.#stopRouters().then(() => this.#end(code === 0 ? 1 : code));
  }
}

function peerStatus({ name, isBackup, state, connections, check }: PeerState): PeerStatus {
  return {
    name,
    backup: isBackup,
    state,
    connections,
    check:
      check === undefined
        ? null
        : {
            checks: check.checks,
            failures: check.failures,
            unhealthyTimes: check.unhealthyTimes,
            at: check.atMs === undefined ? null : new Date(check.atMs).toISOString(),
            why: check.why,
          },
  };
}

function httpStatus(status: MasterStatus | undefined): HttpStatus {
  const workers = (status?.workers ?? []).map(({ pid, counters }) => ({
    pid,
    connections: counters?.active ?? 0,
    requests: counters?.requests ?? 0,
  }));
  return {
    masterPid: status?.pid ?? process.pid,
    workers,
    connections: status?.counters.active ?? 0,
    accepted: status?.counters.accepted ?? 0,
    requests: status?.counters.requests ?? 0,
    upstreams: (status?.upstreams ?? []).map(({ name, peers }) => ({ name, peers: peers.map(peerStatus) })),
  };
}
