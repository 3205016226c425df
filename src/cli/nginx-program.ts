/** The server behind nginx's command line: `-t`, `-T`, `-s`, daemon, and the master with this process's signals. */
import { accessSync, constants, writeSync } from "node:fs";
import { fromLatin1 } from "../base/bytes.ts";
import { isFatal } from "../conf/diagnostics.ts";
import { setProcessTitle } from "../os/process-title.ts";
import { ListeningSet } from "../process/listening-set.ts";
import { INHERITED_VARIABLE, type Invocation, inheritedFds } from "../process/new-binary.ts";
import {
  configurationFile,
  type Layout,
  type LoadedConfiguration,
  type NginxConfiguration,
} from "../process/nginx-configuration.ts";
import { NginxServer, type NginxServerOptions } from "../process/nginx-server.ts";
import { checkPidFile, readPidFile } from "../process/pid-file.ts";
import { MASTER_SIGNALS, SIGNAL_NUMBERS } from "../process/signals.ts";
import { becomeDaemon, isDaemonChild, tellReady } from "./daemon.ts";
import type { NginxOptions, SignalName } from "./nginx-options.ts";
import { printError } from "./standard-error.ts";

const SIGNALS: Readonly<Record<SignalName, NodeJS.Signals>> = {
  stop: "SIGTERM",
  quit: "SIGQUIT",
  reopen: "SIGUSR1",
  reload: "SIGHUP",
};

/** What is served and by which workers. */
export type ServerParts = Pick<NginxServerOptions, "kinds" | "workerProgram" | "spare">;

export class NginxProgram {
  private readonly options: NginxOptions;
  private readonly layout: Layout;
  private readonly args: readonly string[];
  private readonly server: NginxServer;
  /** What an old binary says about its sockets. */
  private readonly inherited = process.env[INHERITED_VARIABLE];

  constructor(options: NginxOptions, layout: Layout, args: readonly string[], server: ServerParts) {
    this.options = options;
    this.layout = layout;
    this.args = args;
    const environment = { ...process.env };
    delete environment[INHERITED_VARIABLE];
    this.server = new NginxServer({
      request: { layout, globalDirectives: options.globalDirectives },
      ...server,
      invocation: ownInvocation(),
      environment,
      isDaemon: this.inherited !== undefined || isDaemonChild(),
      ownsStandardError: true,
      printError,
    });
  }

  /** The exit status, when the server has ended or was none. */
  async run(): Promise<number> {
    const { server } = this;
    const fds = this.inherited === undefined ? undefined : inheritedFds(this.inherited, server.log);
    const loaded = server.load();
    const { configuration } = loaded;
    server.tell(loaded.diagnostics);
    if (this.options.testConfiguration) return this.test(loaded);
    server.tell(loaded.lateDiagnostics);
    if (configuration === undefined) return 1;
    if (this.options.signal !== undefined) return this.signal(this.options.signal, configuration);
    if (!server.openLogFiles(configuration)) return 1;
    if (configuration.core.daemon && fds === undefined && !isDaemonChild()) return becomeDaemon();
    setProcessTitle(`nginx: master process ${[process.argv[1], ...this.args].join(" ")}`, "nginx");
    return this.serve(configuration, fds);
  }

  private serve(configuration: NginxConfiguration, fds: readonly number[] | undefined): Promise<number> {
    for (const signal of MASTER_SIGNALS) process.on(signal, () => this.server.signal(signal));
    return new Promise((resolve) => {
      const inherited = fds === undefined ? undefined : { fds, oldBinaryPid: process.ppid };
      void this.server.start(configuration, resolve, inherited).then((isUp) => {
        if (isUp) tellReady();
      });
    });
  }

  private async test({ configuration, diagnostics, lateDiagnostics, sources }: LoadedConfiguration): Promise<number> {
    const file = configurationFile(this.layout);
    const { quiet, dumpConfiguration } = this.options;
    if (!diagnostics.some(isFatal) && !quiet) printError(`nginx: the configuration file ${file} syntax is ok`);
    this.server.tell(lateDiagnostics);
    if (configuration === undefined || !this.canRun(configuration)) {
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
  private canRun(configuration: NginxConfiguration): boolean {
    const failure = checkPidFile(configuration.pidPath);
    if (failure !== undefined) {
      this.server.log.write("emerg", failure);
      return false;
    }
    if (!this.server.openLogFiles(configuration)) return false;
    return new ListeningSet(this.server.log).test(configuration.plans.flatMap((plan) => plan.listens));
  }

  /** `-s`. */
  private signal(name: SignalName, { pidPath }: NginxConfiguration): number {
    const { log } = this.server;
    log.write("notice", "signal process started");
    const pid = readPidFile(pidPath);
    if (typeof pid === "string") {
      log.write("error", pid);
      return 1;
    }
    try {
      process.kill(pid, SIGNALS[name]);
      return 0;
    } catch (error) {
      const errno = -((error as { errno?: number }).errno ?? 0);
      log.write("alert", `kill(${pid}, ${SIGNAL_NUMBERS[SIGNALS[name]]}) failed`, { errno });
      return 1;
    }
  }
}

/**
 * How this program can be started again. By its own name where that can be executed, so that whatever has taken its place
 * runs next: a later version of it, or nginx itself.
 */
function ownInvocation(): Invocation {
  const [, script = "", ...args] = process.argv;
  try {
    accessSync(script, constants.X_OK);
    return { program: script, args };
  } catch {
    return { program: process.execPath, args: [...process.execArgv, script, ...args] };
  }
}

/** Writes to a descriptor until everything is out: a pipe may take it in parts, and its reader may have seen enough. */
function writeAll(fd: number, bytes: Uint8Array): void {
  try {
    for (let offset = 0; offset < bytes.length; ) offset += writeSync(fd, bytes, offset);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPIPE") throw error;
  }
}
