/** The daemon behind keepalived's command line: `-t`, pid files, daemon, signals, dumps; the work is the supervisor's. */
import { closeSync, openSync, writeFileSync } from "node:fs";
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
import { kernelVersion } from "../process/local-machine.ts";
import type { RunningConfiguration } from "../process/node-files.ts";
import { deletePidFile, readPidFile, writePidFile } from "../process/pid-file.ts";
import { DEFAULT_STATUS_SOCKET, StatusSocket } from "../process/status-socket.ts";
import { upstreamFaults } from "../process/upstream-health.ts";
import { dumpVrrp } from "../process/vrrp-dump.ts";
import { VrrpSupervisor } from "../process/vrrp-supervisor.ts";
import { becomeDaemon, isDaemonChild, tellReady } from "./daemon.ts";
import { type KeepalivedOptions, SIGNAL_NUMBERS } from "./keepalived-options.ts";

export class KeepalivedProgram {
  readonly #options: KeepalivedOptions;
  readonly #log: KeepalivedLog;
  /** What the configuration in force was read from. */
  #source: RunningConfiguration["keepalived"] | undefined;

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
      deletePidFile(this.#options.pidFile);
      this.#log.write("notice", `Stopped Keepalived v${KEEPALIVED_VERSION} (Tandem ${TANDEM_VERSION})`);
    }
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
    const { pidFile } = this.#options;
    const other = readPidFile(pidFile);
    if (typeof other === "number" && other !== process.pid) {
      if (isRunning(other)) {
        process.stderr.write("daemon is already running\n");
        return false;
      }
      this.#log.write("notice", `Remove a zombie pid file ${pidFile}`);
    }
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
    const stop = (): void => {
      // Clients go to the partner before the servers behind this node do.
      void supervisor
        .stop()
        .then(() => checkers?.stop())
        .then(() => end(0));
    };
    process.on("SIGTERM", stop);
    process.on("SIGINT", stop);
    process.on("SIGHUP", () => this.#reload(supervisor, checkers));
    process.on("SIGUSR1", () => void this.#dump(supervisor, "data"));
    process.on("SIGUSR2", () => void this.#dump(supervisor, "stats"));
    onSignalNumber(SIGNAL_NUMBERS["JSON"] as number, () => void this.#dump(supervisor, "json"));
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
    if (this.#options.dumpConfiguration) await this.#dump(supervisor, "data");
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
    const { dontRespawn, vrrpPidFile, checkersPidFile, runsVrrp, runsCheckers } = this.#options;
    const common = { log: this.#log, dontRespawn, isDaemon: isDaemonChild(), onGone };
    const onPid = (pid: number | undefined): void => notePid(checkersPidFile, pid);
    const checkers = runsCheckers ? new CheckerHalf({ ...common, isAlone: !runsVrrp, onPid }) : undefined;
    const supervisor = new VrrpSupervisor({
      ...common,
      config: this.#routersOf(config),
      configuration: () => ({ keepalived: this.#source ?? source, nginx: undefined }),
      onVrrpPid: (pid) => notePid(vrrpPidFile, pid),
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
    const path = this.#options.statusSocket ?? DEFAULT_STATUS_SOCKET;
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

  #reload(supervisor: VrrpSupervisor, checkers: CheckerHalf | undefined): void {
    const loaded = this.#load();
    this.#complain(loaded);
    if (loaded.isUsable) {
      this.#source = loaded.source;
      supervisor.reload(this.#routersOf(loaded.config));
      checkers?.reload(loaded.config);
    } else this.#log.write("error", "Reload refused: the configuration cannot be used, the old one stays");
  }

  async #dump(supervisor: VrrpSupervisor, what: "data" | "stats" | "json"): Promise<void> {
    const failure = await dumpVrrp(supervisor, what);
    if (failure !== undefined) this.#log.write("error", failure);
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
