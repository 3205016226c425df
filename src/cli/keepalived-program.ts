/** The daemon behind keepalived's command line: `-t`, pid files, daemon, signals, dumps; the work is the supervisor's. */
import { closeSync, mkdirSync, openSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { KEEPALIVED_VERSION, TANDEM_VERSION } from "../base/version.ts";
import type { KeepalivedConfig } from "../conf/keepalived/config.ts";
import { EXIT, type LoadedKeepalived } from "../conf/keepalived/load.ts";
import { printKeepalivedDiagnostic } from "../conf/keepalived/report.ts";
import { dup2 } from "../os/ffi/files.ts";
import { setProcessTitle } from "../os/process-title.ts";
import { onSignalNumber } from "../os/signals.ts";
import { CheckerHalf, serverFaults } from "../process/checker-half.ts";
import { type LoadedFromDisk, loadKeepalivedConfiguration } from "../process/keepalived-configuration.ts";
import { KeepalivedLog } from "../process/keepalived-log.ts";
import { defaultPidFiles, type PidFiles, syslogName } from "../process/keepalived-paths.ts";
import { KeepalivedReload } from "../process/keepalived-reload.ts";
import { kernelVersion } from "../process/local-machine.ts";
import { currentNamespace, goInto } from "../process/net-namespace.ts";
import type { RunningConfiguration } from "../process/node-files.ts";
import { deletePidFile, readPidFile, writePidFile } from "../process/pid-file.ts";
import { defaultStatusSocket, StatusSocket } from "../process/status-socket.ts";
import { upstreamFaults } from "../process/upstream-health.ts";
import { dumpServers, dumpVrrp } from "../process/vrrp-dump.ts";
import { VrrpSupervisor } from "../process/vrrp-supervisor.ts";
import { becomeDaemon, isDaemonChild, tellReady } from "./daemon.ts";
import { type KeepalivedOptions, SIGNAL_NUMBERS } from "./keepalived-options.ts";

export class KeepalivedProgram {
  readonly #options: KeepalivedOptions;
  readonly #log: KeepalivedLog;
  /** What the configuration in force was read from. */
  #source: RunningConfiguration["keepalived"] | undefined;
  #pidFiles: PidFiles = { parent: "", vrrp: "", checkers: "", reload: "" };
  /** As they were at the start: what a reload can't change is found there. */
  #globals: KeepalivedConfig["globals"] | undefined;

  constructor(options: KeepalivedOptions) {
    this.#options = options;
    const { logConsole, logDetail, facility } = options;
    this.#log = new KeepalivedLog({ console: logConsole, detail: logDetail, facility });
  }

  /** The exit status, when the daemon has ended or was none. */
  async run(): Promise<number> {
    const { umask, test, dontFork } = this.#options;
    if (umask !== undefined) process.umask(umask);
    const loaded = this.#load();
    if (test !== undefined) return this.#test(loaded, test);
    const failure = this.#goIntoNamespace(loaded.config.globals);
    if (failure !== undefined) return failure;
    if (!dontFork && !isDaemonChild()) {
      if (!loaded.isUsable) return this.#refuse(loaded);
      return becomeDaemon();
    }
    setProcessTitle(
      `keepalived ${process.argv.slice(2).join(" ")}`,
      loaded.config.globals.process.name ?? "keepalived",
    );
    this.#log.write("notice", `Starting Keepalived v${KEEPALIVED_VERSION} (Tandem ${TANDEM_VERSION})`);
    this.#log.write("notice", `Running on ${kernelVersion()}, Node.js ${process.version}`);
    this.#log.write("notice", `Configuration file ${this.#options.file}`);
    this.#complain(loaded);
    if (!loaded.isUsable) return this.#refuse(loaded);
    if (!this.#claimPidFile()) return 1;
    try {
      return await this.#serve(loaded);
    } finally {
      deletePidFile(this.#pidFiles.parent);
      this.#log.write("notice", `Stopped Keepalived v${KEEPALIVED_VERSION} (Tandem ${TANDEM_VERSION})`);
    }
  }

  /** Puts the process into its network namespace, and calls it accordingly; an exit status when that fails. */
  #goIntoNamespace(globals: KeepalivedConfig["globals"]): number | undefined {
    const { namespace: given } = this.#options;
    const name = given ?? globals.netNamespace;
    if (given !== undefined && globals.netNamespace !== undefined && currentNamespace() === undefined) {
      const both = `Overriding config net_namespace '${globals.netNamespace}' with command line namespace '${given}'`;
      this.#log.write("notice", both);
    }
    const why = name === undefined ? undefined : goInto(name);
    if (why !== undefined) {
      for (const line of [why, `Unable to set network namespace ${name} - exiting`]) {
        this.#log.write("error", line);
        if (!this.#options.logConsole) process.stderr.write(`keepalived: ${line}\n`);
      }
      return 1;
    }
    this.#globals = globals;
    const standard = defaultPidFiles(globals, name);
    const { pidFile, vrrpPidFile, checkersPidFile } = this.#options;
    this.#pidFiles = {
      parent: pidFile ?? standard.parent,
      vrrp: vrrpPidFile ?? standard.vrrp,
      checkers: checkersPidFile ?? standard.checkers,
      reload: standard.reload,
    };
    const called = syslogName(globals, name);
    if (called !== undefined) this.#log.rename(called);
    return undefined;
  }

  #load(): LoadedFromDisk {
    const { file, configId, includeMustExist, withoutBfd, runsCheckers } = this.#options;
    const found = loadKeepalivedConfiguration({ file, configId, includeMustExist });
    const loaded = withoutBfd ? { ...found, config: { ...found.config, bfds: [] } } : found;
    const faults = [
      ...upstreamFaults(loaded.config, undefined),
      ...(runsCheckers && loaded.isUsable ? serverFaults(loaded.config) : []),
    ];
    if (faults.length === 0) return loaded;
    const exitStatus = loaded.exitStatus === EXIT.ok ? EXIT.complaints : loaded.exitStatus;
    return { ...loaded, diagnostics: [...loaded.diagnostics, ...faults], isUsable: false, exitStatus };
  }

  #test(loaded: LoadedKeepalived, file: string): number {
    const text = loaded.diagnostics.map((diagnostic) => `${printKeepalivedDiagnostic(diagnostic)}\n`).join("");
    if (file === "") process.stderr.write(text);
    else writeFileSync(file, text);
    return loaded.exitStatus;
  }

  #complain(loaded: LoadedKeepalived): void {
    for (const diagnostic of loaded.diagnostics)
      this.#log.write(diagnostic.severity, printKeepalivedDiagnostic(diagnostic));
  }

  /** Said on standard error as well, whatever the log options: somebody waits at a terminal. */
  #refuse(loaded: LoadedKeepalived): number {
    const fatal = loaded.diagnostics.filter(({ severity }) => ["emerg", "alert", "crit", "error"].includes(severity));
    if (!this.#options.logConsole)
      for (const diagnostic of fatal) process.stderr.write(`${printKeepalivedDiagnostic(diagnostic)}\n`);
    process.stderr.write("keepalived: the configuration cannot be used\n");
    return loaded.exitStatus === 0 ? 1 : loaded.exitStatus;
  }

  #claimPidFile(): boolean {
    const { parent: pidFile } = this.#pidFiles;
    const other = readPidFile(pidFile);
    if (typeof other === "number" && other !== process.pid) {
      if (isRunning(other)) {
        process.stderr.write("daemon is already running\n");
        return false;
      }
      this.#log.write("notice", `Remove a zombie pid file ${pidFile}`);
    }
    // The folder is the program's own only when the name is.
    if (this.#options.pidFile === undefined) mkdirSync(dirname(pidFile), { recursive: true });
    const failure = writePidFile(pidFile, process.pid);
    if (failure !== undefined) process.stderr.write(`keepalived: ${failure}\n`);
    return failure === undefined;
  }

  async #serve(loaded: LoadedFromDisk): Promise<number> {
    this.#source = loaded.source;
    let end: (status: number) => void = () => {};
    const ended = new Promise<number>((resolve) => {
      end = resolve;
    });
    const { supervisor, checkers } = this.#supervisors(loaded, () => end(1));
    const reloads = this.#reloads(loaded.config, supervisor, checkers);
    const stop = (): void => {
      reloads.close();
      // Clients go to the partner before the servers behind this node do.
      void supervisor
        .stop()
        .then(() => checkers?.stop())
        .then(() => end(0));
    };
    process.on("SIGTERM", stop);
    process.on("SIGINT", stop);
    process.on("SIGHUP", () => reloads.reload());
    process.on("SIGUSR1", () => void this.#dump(supervisor, checkers, "data"));
    process.on("SIGUSR2", () => void this.#dump(supervisor, checkers, "stats"));
    onSignalNumber(SIGNAL_NUMBERS["JSON"] as number, () => void this.#dump(supervisor, checkers, "json"));
    onSignalNumber(SIGNAL_NUMBERS["STATS_CLEAR"] as number, () => supervisor.clearStatistics());
    try {
      // An address is taken over only by a node whose services are there.
      await checkers?.start(loaded.config);
      await supervisor.start();
    } catch (error) {
      process.stderr.write(`keepalived: ${(error as Error).message}\n`);
      await checkers?.stop();
      return 1;
    }
    if (this.#options.dumpConfiguration) await this.#dump(supervisor, checkers, "data");
    const socket = await this.#openStatusSocket(supervisor, checkers);
    tellReady();
    if (isDaemonChild()) leaveTerminal();
    const status = await ended;
    socket?.close();
    return status;
  }

  /** The processes of both halves; `-C` leaves the routers out, `-P` the checkers. */
  #supervisors(
    { config, source }: LoadedFromDisk,
    onGone: () => void,
  ): { readonly supervisor: VrrpSupervisor; readonly checkers: CheckerHalf | undefined } {
    const { dontRespawn, runsVrrp, runsCheckers } = this.#options;
    const common = { log: this.#log, dontRespawn, isDaemon: isDaemonChild(), onGone };
    const onPid = (pid: number | undefined): void => notePid(this.#pidFiles.checkers, pid);
    const checkers = runsCheckers ? new CheckerHalf({ ...common, isAlone: !runsVrrp, onPid }) : undefined;
    const supervisor = new VrrpSupervisor({
      ...common,
      config: this.#routersOf(config),
      configuration: () => ({ keepalived: this.#source ?? source, nginx: undefined }),
      onVrrpPid: (pid) => notePid(this.#pidFiles.vrrp, pid),
      onSession: (name, isUp) => checkers?.session(name, isUp),
    });
    return { supervisor, checkers };
  }

  /** Without VRRP the supervisor has no routers; its scripts at start and stop run all the same. */
  #routersOf(config: KeepalivedConfig): KeepalivedConfig {
    if (this.#options.runsVrrp) return config;
    return { ...config, instances: [], syncGroups: [], scripts: [], trackProcesses: [], trackFiles: [] };
  }

  async #openStatusSocket(
    supervisor: VrrpSupervisor,
    checkers: CheckerHalf | undefined,
  ): Promise<StatusSocket | undefined> {
    const path = this.#options.statusSocket ?? defaultStatusSocket(currentNamespace());
    if (path === "") return undefined;
    const socket = new StatusSocket(path, {
      vrrp: () => supervisor.status(),
      why: () => supervisor.why(),
      peers: () => supervisor.peers(),
      obey: (order) => supervisor.obey(order),
      ...(checkers === undefined ? {} : { servers: () => checkers.status() }),
    });
    try {
      await socket.open();
      return socket;
    } catch (error) {
      this.#log.write("warn", `tandem status will not work: ${(error as Error).message}`);
      return undefined;
    }
  }

  #reloads(
    { globals }: KeepalivedConfig,
    supervisor: VrrpSupervisor,
    checkers: CheckerHalf | undefined,
  ): KeepalivedReload<LoadedFromDisk> {
    return new KeepalivedReload(globals, {
      log: this.#log,
      load: () => this.#load(),
      complain: (loaded) => this.#complain(loaded),
      apply: ({ config, source }) => {
        this.#source = source;
        this.#sayWhatStays(config.globals);
        supervisor.reload(this.#routersOf(config));
        checkers?.reload(config);
      },
      reloadFile: this.#pidFiles.reload,
    });
  }

  /** What only a restart changes. */
  #sayWhatStays(globals: KeepalivedConfig["globals"]): void {
    const before = this.#globals;
    if (before === undefined) return;
    const say = (what: string): void =>
      this.#log.write("notice", `Cannot change ${what} at a reload - please restart keepalived`);
    if (this.#options.namespace === undefined && before.netNamespace !== globals.netNamespace) say("network namespace");
    const same = JSON.stringify(before.netNamespaceIpvs) === JSON.stringify(globals.netNamespaceIpvs);
    if (!same) say("IPVS network namespace");
    if (before.instanceName !== globals.instanceName) say("instance name");
  }

  async #dump(
    supervisor: VrrpSupervisor,
    checkers: CheckerHalf | undefined,
    what: "data" | "stats" | "json",
  ): Promise<void> {
    const failure = await dumpVrrp(supervisor, what);
    if (failure !== undefined) this.#log.write("error", failure);
    const servers = what === "data" ? await checkers?.dump() : null;
    const failed = servers === null || checkers === undefined ? undefined : dumpServers(servers, supervisor.config);
    if (failed !== undefined) this.#log.write("error", failed);
  }
}

function notePid(file: string, pid: number | undefined): void {
  if (pid === undefined) deletePidFile(file);
  else writePidFile(file, pid);
}

/** A daemon keeps nothing of whoever started it open: a pipe that never ends would make the starter wait for ever. */
function leaveTerminal(): void {
  const nowhere = openSync("/dev/null", "r+");
  for (const fd of [0, 1, 2]) dup2(nowhere, fd);
  closeSync(nowhere);
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
