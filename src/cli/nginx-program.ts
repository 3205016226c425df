/** The server behind nginx's command line: start-up log, `-t`, `-T`, `-s`, daemon, and the master with this process's signals. */
import { closeSync, writeSync } from "node:fs";
import os from "node:os";
import { fromLatin1 } from "../base/bytes.ts";
import type { Log } from "../base/log.ts";
import { NGINX_VERSION, TANDEM_VERSION } from "../base/version.ts";
import { type Diagnostic, isFatal, printPosition } from "../conf/diagnostics.ts";
import { dup2, F_DUPFD_CLOEXEC, fcntl } from "../os/ffi/files.ts";
import { openFilesLimit } from "../os/privileges.ts";
import { setProcessTitle } from "../os/process-title.ts";
import { LogFiles } from "../process/error-log.ts";
import { ListeningSet } from "../process/listening-set.ts";
import { createLogFile } from "../process/log-rotation.ts";
import { ProcessLogging, ReplaceableLog, systemClock } from "../process/logging.ts";
import { type LoadOutcome, Master } from "../process/master.ts";
import { INHERITED_VARIABLE, inheritedFds } from "../process/new-binary.ts";
import {
  configurationFile,
  defaultLogTarget,
  type Layout,
  type LoadedConfiguration,
  loadNginxConfiguration,
  type NginxConfiguration,
} from "../process/nginx-configuration.ts";
import { checkPidFile, readPidFile } from "../process/pid-file.ts";
import { RecordingReader } from "../process/recorded-files.ts";
import { MASTER_SIGNALS, SIGNAL_NUMBERS } from "../process/signals.ts";
import { StartupLog } from "../process/startup-log.ts";
import { becomeDaemon, isDaemonChild, tellReady } from "./daemon.ts";
import type { Server } from "./nginx.ts";
import type { NginxOptions, SignalName } from "./nginx-options.ts";
import { printError } from "./standard-error.ts";

const SIGNALS: Readonly<Record<SignalName, NodeJS.Signals>> = {
  stop: "SIGTERM",
  quit: "SIGQUIT",
  reopen: "SIGUSR1",
  reload: "SIGHUP",
};
const STDERR_FD = 2;

export class NginxProgram {
  private readonly options: NginxOptions;
  private readonly layout: Layout;
  private readonly args: readonly string[];
  private readonly server: Server;
  private readonly logFiles = new LogFiles();
  private readonly logging = new ProcessLogging(this.logFiles, systemClock);
  private readonly log: ReplaceableLog;
  private configured: NginxConfiguration | undefined = undefined;
  private startupFd = -1;

  constructor(options: NginxOptions, layout: Layout, args: readonly string[], server: Server) {
    this.server = server;
    this.options = options;
    this.layout = layout;
    this.args = args;
    this.log = new ReplaceableLog(this.openStartupLog());
  }

  /** The exit status, when the server has ended or was none. */
  async run(): Promise<number> {
    const inherited = process.env[INHERITED_VARIABLE];
    delete process.env[INHERITED_VARIABLE];
    const fds = inherited === undefined ? undefined : inheritedFds(inherited, this.log);
    const reader = new RecordingReader();
    const request = { layout: this.layout, globalDirectives: this.options.globalDirectives };
    const loaded = loadNginxConfiguration(request, this.server.kinds, reader);
    const { configuration } = loaded;
    this.tell(loaded.diagnostics);
    if (this.options.testConfiguration) return this.test(loaded);
    this.tell(loaded.lateDiagnostics);
    if (configuration === undefined) return 1;
    if (this.options.signal !== undefined) return this.signal(this.options.signal, configuration);
    if (!this.openLogFiles(configuration)) return 1;
    if (configuration.core.daemon && fds === undefined && !isDaemonChild()) return becomeDaemon();
    return this.serve(configuration, reader, fds);
  }

  private async serve(
    configuration: NginxConfiguration,
    reader: RecordingReader,
    fds: readonly number[] | undefined,
  ): Promise<number> {
    const isDaemon = fds !== undefined || isDaemonChild();
    const environment = { ...process.env };
    setProcessTitle(`nginx: master process ${[process.argv[1], ...this.args].join(" ")}`, "nginx");
    return new Promise((resolve) => {
      const master = new Master({
        request: { layout: this.layout, globalDirectives: this.options.globalDirectives },
        initial: { configuration, files: reader.recorded },
        load: () => this.loadAgain(),
        log: this.log,
        workerProgram: this.server.workerProgram,
        invocation: { program: process.execPath, args: [...process.execArgv, ...process.argv.slice(1)] },
        environment,
        isDaemon,
        inherited: fds === undefined ? undefined : { fds, oldBinaryPid: process.ppid },
        onConfiguration: (next) => this.putInForce(next),
        onReopen: () => {
          this.logFiles.reopen((sentence) => this.log.write("emerg", sentence));
          this.redirectStandardError();
        },
        onEnd: resolve,
      });
      for (const signal of MASTER_SIGNALS) process.on(signal, () => master.signal(signal));
      void master.start().then((isUp) => {
        if (isUp) this.started();
      });
    });
  }

  // Logs.

  /** Until a configuration says where to log: `-e`, and standard error for warnings. */
  private openStartupLog(): Log {
    try {
      const target = defaultLogTarget(this.layout);
      const file = target.kind === "stderr" ? undefined : this.logging.openLog([{ ...target, level: "notice" }]);
      return new StartupLog("nginx", file, printError);
    } catch (error) {
      printError(`nginx: [alert] could not open error log file: ${(error as Error).message}`);
      return new StartupLog("nginx", undefined, printError);
    }
  }

  /** Creates the files that workers will write to, as root. False when one can't be: the log says which. */
  private openLogFiles(configuration: NginxConfiguration): boolean {
    const files = new Set(configuration.plans.flatMap((plan) => plan.logFiles));
    for (const target of configuration.logTargets) if (target.kind === "file") files.add(target.path);
    for (const file of files) {
      const failure = createLogFile(file);
      if (failure === undefined) continue;
      this.log.write("emerg", failure);
      return false;
    }
    return true;
  }

  /** The configuration's own log from now on; standard error goes there too, as with nginx. */
  private putInForce(configuration: NginxConfiguration): void {
    const isFirst = this.configured === undefined;
    const log = this.logging.openLog(configuration.logTargets);
    if (isFirst) logSystem(log);
    this.configured = configuration;
    const kept = configuration.logTargets.flatMap((target) => (target.kind === "file" ? [target.path] : []));
    this.logFiles.keepOnly(new Set(kept));
    this.log.destination = isFirst && !hasStderr(configuration) ? this.lastWords(log) : log;
    this.redirectStandardError();
  }

  /** Whoever has started us still hears of errors until all workers accept, though standard error goes elsewhere already. */
  private lastWords(log: Log): Log {
    const fd = fcntl(STDERR_FD, F_DUPFD_CLOEXEC, STDERR_FD + 1);
    this.startupFd = fd;
    return new StartupLog("nginx", log, (line) => printError(line, fd));
  }

  /** All workers accept. */
  private started(): void {
    if (this.configured !== undefined) this.log.destination = this.logging.openLog(this.configured.logTargets);
    if (this.startupFd >= 0) closeSync(this.startupFd);
    this.startupFd = -1;
    tellReady();
  }

  private redirectStandardError(): void {
    const configuration = this.configured;
    if (configuration === undefined || hasStderr(configuration)) return;
    const file = configuration.logTargets.find((target) => target.kind === "file");
    if (file !== undefined) dup2(this.logFiles.open(file.path).fd, STDERR_FD);
  }

  private loadAgain(): LoadOutcome {
    const reader = new RecordingReader();
    const request = { layout: this.layout, globalDirectives: this.options.globalDirectives };
    const { configuration, ...found } = loadNginxConfiguration(request, this.server.kinds, reader);
    const diagnostics = [...found.diagnostics, ...found.lateDiagnostics];
    if (configuration === undefined || !this.openLogFiles(configuration)) return { runnable: undefined, diagnostics };
    return { runnable: { configuration, files: reader.recorded }, diagnostics };
  }

  private tell(diagnostics: readonly Diagnostic[]): void {
    for (const { severity, message, position } of diagnostics) {
      this.log.write(severity, position === undefined ? message : `${message} in ${printPosition(position)}`);
    }
  }

  // What doesn't serve.

  private async test({ configuration, diagnostics, lateDiagnostics, sources }: LoadedConfiguration): Promise<number> {
    const file = configurationFile(this.layout);
    const { quiet, dumpConfiguration } = this.options;
    if (!diagnostics.some(isFatal) && !quiet) printError(`nginx: the configuration file ${file} syntax is ok`);
    this.tell(lateDiagnostics);
    const isGood = configuration !== undefined && (await this.canRun(configuration));
    if (!isGood) {
      printError(`nginx: configuration file ${file} test failed`);
      return 1;
    }
    if (!quiet) printError(`nginx: configuration file ${file} test is successful`);
    if (dumpConfiguration) {
      for (const source of sources) {
        writeAll(1, fromLatin1(`# configuration file ${source.file}:\n${source.text ?? ""}\n`));
      }
    }
    return 0;
  }

  /** Whether logs, pid file and addresses can be had. An address in use is no fault: the running server has it. */
  private async canRun(configuration: NginxConfiguration): Promise<boolean> {
    if (!this.openLogFiles(configuration)) return false;
    const failure = checkPidFile(configuration.pidPath);
    if (failure !== undefined) {
      this.log.write("emerg", failure);
      return false;
    }
    return new ListeningSet(this.log).test(configuration.plans.flatMap((plan) => plan.listens));
  }

  /** `-s`. */
  private signal(name: SignalName, { pidPath }: NginxConfiguration): number {
    this.log.write("notice", "signal process started");
    const pid = readPidFile(pidPath);
    if (typeof pid === "string") {
      this.log.write("error", pid);
      return 1;
    }
    try {
      process.kill(pid, SIGNALS[name]);
      return 0;
    } catch (error) {
      const errno = -((error as { errno?: number }).errno ?? 0);
      this.log.write("alert", `kill(${pid}, ${SIGNAL_NUMBERS[SIGNALS[name]]}) failed`, { errno });
      return 1;
    }
  }
}

function hasStderr({ logTargets }: NginxConfiguration): boolean {
  return logTargets.some((target) => target.kind === "stderr");
}

/** What nginx tells of itself and its system when it starts. */
function logSystem(log: Log): void {
  const { soft, hard } = openFilesLimit();
  log.write("notice", 'using the "epoll" event method');
  log.write("notice", `nginx/${NGINX_VERSION}`);
  log.write("notice", `built by Tandem ${TANDEM_VERSION} (Node.js ${process.version})`);
  log.write("notice", `OS: ${os.type()} ${os.release()}`);
  log.write("notice", `getrlimit(RLIMIT_NOFILE): ${soft}:${hard}`);
}

/** Writes to a descriptor until everything is out: a pipe may take it in parts. */
function writeAll(fd: number, bytes: Uint8Array): void {
  for (let offset = 0; offset < bytes.length; ) offset += writeSync(fd, bytes, offset);
}
