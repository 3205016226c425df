/**
 * The nginx half as one object: its logs, its configuration and its master. It changes nothing of the process that it lives
 * in unless it is told to (`ownsStandardError`), so that `tandem up` can run it beside the VRRP supervisor.
 */
import { closeSync } from "node:fs";
import os from "node:os";
import type { Log } from "../base/log.ts";
import { NGINX_VERSION, TANDEM_VERSION } from "../base/version.ts";
import { type Diagnostic, printPosition } from "../conf/diagnostics.ts";
import { encodeGeoBase } from "../conf/geo-base.ts";
import type { MadeBase } from "../conf/slot.ts";
import type { UpstreamState } from "../io/service.ts";
import { dup2, F_DUPFD_CLOEXEC, fcntl } from "../os/ffi/files.ts";
import { openFilesLimit } from "../os/privileges.ts";
import { chooseMethod, type WantedMethod } from "../os/reactor/create.ts";
import { replaceFile } from "./config-files.ts";
import { LogFiles } from "./error-log.ts";
import { createLogFile } from "./log-rotation.ts";
import { ProcessLogging, ReplaceableLog, systemClock } from "./logging.ts";
import { type LoadOutcome, Master, type MasterStatus, type RunnableConfiguration } from "./master.ts";
import type { Invocation } from "./new-binary.ts";
import {
  type ConfigurationRequest,
  defaultLogTarget,
  type LoadedConfiguration,
  loadNginxConfiguration,
  type NginxConfiguration,
} from "./nginx-configuration.ts";
import type { RunningFiles } from "./node-files.ts";
import { RecordingReader } from "./recorded-files.ts";
import type { ServiceKind } from "./service-kind.ts";
import type { MasterSignal } from "./signals.ts";
import type { SpareWorkers } from "./spare-workers.ts";
import { StartupLog } from "./startup-log.ts";
import { makeTemporaryFolder } from "./temporary-folders.ts";

const STDERR_FD = 2;

export interface NginxServerOptions {
  readonly request: ConfigurationRequest;
  readonly kinds: readonly ServiceKind[];
  /** The JavaScript file that workers run: it calls `runWorker` with the same kinds. */
  readonly workerProgram: string;
  /** A worker in reserve, which may have been started before there is a configuration. */
  readonly spare: SpareWorkers;
  /** What USR2 starts. Without it USR2 is refused. */
  readonly invocation: Invocation | undefined;
  readonly environment: NodeJS.ProcessEnv;
  /** Nobody waits at a terminal. */
  readonly isDaemon: boolean;
  /** Standard error is to go to the error log once a configuration is in force, as nginx does it. */
  readonly ownsStandardError: boolean;
  /** A reload has changed nothing, because the configuration can't be used; the error log says why. */
  readonly onReloadRefused?: () => void;
  /** How the upstreams are, when that has changed. */
  readonly onUpstreams?: (upstreams: readonly UpstreamState[]) => void;
  /** No worker accepts, and has not for a while; or one does again. */
  readonly onServing?: (isServing: boolean) => void;
  /** Writes a line to a descriptor: standard error, or a copy of it. Must not throw. */
  readonly printError: (line: string, fd: number) => void;
}

export class NginxServer {
  /** Where the master, and whoever runs it, logs. */
  readonly log: ReplaceableLog;
  private readonly options: NginxServerOptions;
  private readonly logFiles = new LogFiles();
  private readonly logging = new ProcessLogging(this.logFiles, systemClock);
  private master: Master | undefined = undefined;
  private configured: NginxConfiguration | undefined = undefined;
  private files: RunnableConfiguration["files"] | undefined = undefined;
  /** Of the configuration that is in force. */
  private filesInForce: RunningFiles | undefined = undefined;
  private startupFd = -1;

  constructor(options: NginxServerOptions) {
    this.options = options;
    this.log = new ReplaceableLog(this.openStartupLog());
  }

  /** Reads the configuration. The findings are the caller's to tell. */
  load(): LoadedConfiguration {
    const reader = new RecordingReader();
    const loaded = loadNginxConfiguration(this.options.request, this.options.kinds, reader);
    for (const base of loaded.bases) this.writeBase(base, reader);
    this.files = reader.recorded;
    return loaded;
  }

  /** The next start is faster for it, and so are the workers of this one. */
  private writeBase({ file, pieces }: MadeBase, reader: RecordingReader): void {
    const content = encodeGeoBase(pieces);
    reader.addBase(file.slice(0, -".bin".length), content);
    this.log.write("notice", `creating binary geo range base "${file}"`);
    try {
      replaceFile(file, content);
    } catch (error) {
      const { errno = 0 } = error as { readonly errno?: number };
      this.log.write("crit", `open() "${file}" failed`, { errno: -errno });
    }
  }

  /** What runs was read from these; undefined: nothing runs yet. */
  get runningFiles(): RunningFiles | undefined {
    return this.filesInForce;
  }

  /** Logs findings, in nginx's form. */
  tell(diagnostics: readonly Diagnostic[]): void {
    for (const { severity, message, position } of diagnostics) {
      this.log.write(severity, position === undefined ? message : `${message} in ${printPosition(position)}`);
    }
  }

  /**
   * Starts what `load` has returned last. True when all workers accept and the pid file is there; otherwise the log says why,
   * and `onEnd` follows. `inherited` are listening descriptors of an old binary, `oldBinaryPid` is that one's id.
   */
  async start(
    configuration: NginxConfiguration,
    onEnd: (code: number) => void,
    inherited?: { readonly fds: readonly number[]; readonly oldBinaryPid: number },
  ): Promise<boolean> {
    const { request, workerProgram, spare, invocation, environment, isDaemon, onUpstreams, onServing } = this.options;
    this.master = new Master({
      request,
      initial: { configuration, files: this.files as RunnableConfiguration["files"] },
      load: () => this.loadAgain(),
      log: this.log,
      workerProgram,
      spare,
      invocation,
      environment,
      isDaemon,
      inherited,
      onConfiguration: (next) => this.putInForce(next),
      ...(onUpstreams === undefined ? {} : { onUpstreams }),
      ...(onServing === undefined ? {} : { onServing }),
      onReopen: () => {
        this.logFiles.reopen((sentence) => this.log.write("emerg", sentence));
        this.redirectStandardError();
      },
      onEnd,
    });
    const isUp = await this.master.start();
    if (isUp) this.endStartup();
    return isUp;
  }

  /** Delivers a signal to the master. */
  signal(signal: MasterSignal): void {
    this.master?.signal(signal);
  }

  /** See `Service.drain`. */
  drain(addresses: readonly string[]): void {
    this.master?.drain(addresses);
  }

  /** Undefined before `start`. */
  async status(): Promise<MasterStatus | undefined> {
    return this.master?.status();
  }

  /** Creates the files and folders that workers will write to, with the master's rights. False when one can't be: the log says which. */
  openLogFiles(configuration: NginxConfiguration): boolean {
    const files = new Set(configuration.plans.flatMap((plan) => plan.logFiles));
    for (const target of configuration.logTargets) if (target.kind === "file") files.add(target.path);
    for (const file of files) {
      const failure = createLogFile(file);
      if (failure === undefined) continue;
      this.log.write("emerg", failure);
      return false;
    }
    for (const folder of new Set(configuration.plans.flatMap((plan) => plan.folders ?? []))) {
      const failure = makeTemporaryFolder(folder, configuration.workerUser);
      if (failure === undefined) continue;
      this.log.write("emerg", failure);
      return false;
    }
    return true;
  }

  /** Until a configuration says where to log: nginx's `-e`, and standard error for warnings. */
  private openStartupLog(): Log {
    const print = (line: string): void => this.options.printError(line, STDERR_FD);
    try {
      const target = defaultLogTarget(this.options.request.layout);
      const file = target.kind === "stderr" ? undefined : this.logging.openLog([{ ...target, level: "notice" }]);
      return new StartupLog("nginx", file, print);
    } catch (error) {
      print(`nginx: [alert] could not open error log file: ${(error as Error).message}`);
      return new StartupLog("nginx", undefined, print);
    }
  }

  /** The configuration's own log from now on. */
  private putInForce(configuration: NginxConfiguration): void {
    const isFirst = this.configured === undefined;
    const log = this.logging.openLog(configuration.logTargets);
    if (isFirst) logSystem(log, configuration.events.use);
    this.configured = configuration;
    this.filesInForce = { file: configuration.file, recorded: this.files as RunnableConfiguration["files"] };
    const kept = configuration.logTargets.flatMap((target) => (target.kind === "file" ? [target.path] : []));
    this.logFiles.keepOnly(new Set(kept));
    this.log.destination = isFirst && !hasStandardError(configuration) ? this.lastWords(log) : log;
    this.redirectStandardError();
  }

  /** Whoever has started us still hears of errors until all workers accept, though standard error goes elsewhere already. */
  private lastWords(log: Log): Log {
    const fd = fcntl(STDERR_FD, F_DUPFD_CLOEXEC, STDERR_FD + 1);
    this.startupFd = fd;
    return new StartupLog("nginx", log, (line) => this.options.printError(line, fd));
  }

  private endStartup(): void {
    if (this.configured !== undefined) this.log.destination = this.logging.openLog(this.configured.logTargets);
    if (this.startupFd >= 0) closeSync(this.startupFd);
    this.startupFd = -1;
  }

  private redirectStandardError(): void {
    const configuration = this.configured;
    if (!this.options.ownsStandardError || configuration === undefined || hasStandardError(configuration)) return;
    const file = configuration.logTargets.find((target) => target.kind === "file");
    if (file !== undefined) dup2(this.logFiles.open(file.path).fd, STDERR_FD);
  }

  private loadAgain(): LoadOutcome {
    const { configuration, ...found } = this.load();
    const diagnostics = [...found.diagnostics, ...found.lateDiagnostics];
    if (configuration === undefined || !this.openLogFiles(configuration)) {
      this.options.onReloadRefused?.();
      return { runnable: undefined, diagnostics };
    }
    return {
      runnable: { configuration, files: this.files as RunnableConfiguration["files"] },
      diagnostics,
    };
  }
}

function hasStandardError({ logTargets, plans }: NginxConfiguration): boolean {
  return logTargets.some((target) => target.kind === "stderr") || plans.some((plan) => plan.usesStandardError);
}

/** What nginx tells of itself and its system when it starts. */
function logSystem(log: Log, wanted: WantedMethod): void {
  const { soft, hard } = openFilesLimit();
  const { method, refusal } = chooseMethod(wanted);
  if (refusal !== undefined) {
    if (wanted === "any") log.write("notice", `io_uring is not possible: ${refusal.message}`);
    else log.write("warn", `"use ${wanted}" is not possible: ${refusal.message}`);
  }
  log.write("notice", `using the "${method}" event method`);
  log.write("notice", `nginx/${NGINX_VERSION}`);
  log.write("notice", `built by Tandem ${TANDEM_VERSION} (Node.js ${process.version})`);
  log.write("notice", `OS: ${os.type()} ${os.release()}`);
  log.write("notice", `getrlimit(RLIMIT_NOFILE): ${soft}:${hard}`);
}
