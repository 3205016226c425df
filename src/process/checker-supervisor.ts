/**
 * The parent of the checker process: starts it again when it dies, keeps what the kernel has of virtual servers meanwhile, runs notify
 * scripts, writes pipes, watches files. keepalived's counterpart: the parent process, main.c, with the notifies of the
 * healthcheck child.
 */
import type { ServersStatus } from "../admin/status.ts";
import { equalBytes } from "../base/bytes.ts";
import type { IpAddress } from "../base/ip.ts";
import type { Log } from "../base/log.ts";
import type { KeepalivedConfig, ScriptUser } from "../conf/keepalived/config.ts";
import type { ServiceDestination, ServiceFailure, VirtualServices } from "../io/virtual-services.ts";
import { suspectKey } from "../lvs/node.ts";
import type { LvsReport } from "../lvs/report.ts";
import { findGroup, findUser } from "../os/accounts.ts";
import { IpvsServices, openIpvs } from "../os/ipvs.ts";
import { NftServices } from "../os/nft-services.ts";
import { openRouting } from "../os/routing.ts";
import { type FromCheckerProcess, lvsConfig, type ToCheckerProcess } from "./checker-messages.ts";
import { FileTracker } from "./file-tracker.ts";
import { printCheckData } from "./keepalived-check-dump.ts";
import { Mailer, STOP_MAIL_MS } from "./mailer.ts";
import { holdPath, NamespacedServices, servicesNamespace } from "./net-namespace.ts";
import { Notifier, serverPipes } from "./notifier.ts";
import { CommandRunner } from "./run-command.ts";
import { serversStatus } from "./servers-status.ts";
import { type Said, SupervisedChild } from "./supervised-child.ts";
import { beatIntervalMs } from "./watchdog.ts";

/** How long a report may take. */
const REPORT_MS = 2000;
/** A loop that stands still for longer hangs: a pattern that backtracks without end, for one. */
const HANG_MS = 10_000;

export interface CheckerSupervisorOptions {
  readonly log: Log;
  readonly config: KeepalivedConfig;
  /** keepalived's -R: the death of the process ends the supervisor too; `onGone` is called. */
  readonly dontRespawn?: boolean;
  readonly onGone?: () => void;
  /** For a daemon: the process gets neither standard output nor standard error. */
  readonly isDaemon?: boolean;
  /** No VRRP beside: the pipe for all has its reader from here. */
  readonly isAlone?: boolean;
  /** BFD sessions that have said something; kept up to date by whoever calls `session`. */
  readonly sessions: ReadonlyMap<string, boolean>;
  /** Told the process id of every checker process that is started; undefined when it has ended. */
  readonly onPid?: (pid: number | undefined) => void;
}

/** What does the kernel's part, in the namespace at `path`: IPVS where there is one, else nf_tables. */
export function openVirtualServices(path: string | undefined): VirtualServices {
  if (path !== undefined) return new NamespacedServices(path, () => openVirtualServices(undefined));
  const ipvs = openIpvs(true);
  return ipvs === undefined ? new NftServices(ownAddresses) : new IpvsServices(ipvs);
}

/** `uid:gid` of whoever runs a script. */
function accountOf(user: ScriptUser | undefined): string {
  if (user === undefined) return `${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`;
  const account = findUser(user.user);
  const group = user.group === undefined ? account?.groupId : findGroup(user.group);
  return `${account?.userId ?? "?"}:${group ?? "?"}`;
}

function ownAddresses(): readonly IpAddress[] {
  const routing = openRouting();
  try {
    return routing.addresses().map(({ ip }) => ip);
  } finally {
    routing.close();
  }
}

export class CheckerSupervisor {
  readonly #options: CheckerSupervisorOptions;
  readonly #log: Log;
  #config: KeepalivedConfig;
  readonly #namespace: string | undefined;
  readonly #services: VirtualServices;
  readonly #runner: CommandRunner;
  readonly #notifier: Notifier;
  readonly #mailer: Mailer;
  /** What the process has asked for last, by service. */
  readonly #pools = new Map<string, readonly ServiceDestination[]>();
  readonly #child: SupervisedChild<ToCheckerProcess, FromCheckerProcess>;
  #files: FileTracker | undefined;
  #isStopping = false;

  constructor(options: CheckerSupervisorOptions) {
    this.#options = options;
    this.#log = options.log;
    this.#config = options.config;
    this.#namespace = holdPath(servicesNamespace(options.config));
    this.#services = openVirtualServices(this.#namespace);
    this.#runner = new CommandRunner(options.log, options.config.globals.scriptUser);
    this.#mailer = new Mailer(options.log);
    const isAlone = options.isAlone === true;
    this.#notifier = new Notifier(this.#runner, options.log, (globals) => serverPipes(globals, isAlone));
    this.#child = this.#makeChild();
  }

  /** Resolves when the checkers run. Rejects when the process ends before that. */
  async start(): Promise<void> {
    this.#notifier.configure(this.#config.globals);
    this.#mailer.configureServers(this.#config);
    this.#trackFiles();
    try {
      await this.#child.start();
    } catch (error) {
      this.#release();
      throw error;
    }
  }

  /** Takes a new configuration over. */
  reload(config: KeepalivedConfig): void {
    this.#config = config;
    const { scriptUser } = config.globals;
    this.#runner.setDefaultUser(scriptUser);
    this.#notifier.configure(config.globals);
    this.#mailer.configureServers(config);
    this.#trackFiles();
    this.#child.reload({ kind: "reload", config: lvsConfig(config), scriptUser });
  }

  /** A BFD session has come up or gone down. */
  session(name: string, isUp: boolean): void {
    this.#child.send({ kind: "session", name, isUp });
  }

  /** Notifies, then everything out of the kernel; resolves when all that is done. */
  async stop(): Promise<void> {
    if (this.#isStopping) return;
    this.#isStopping = true;
    await this.#child.stop({ kind: "stop" }, this.#config.globals.childWaitMs);
    await this.#mailer.close(STOP_MAIL_MS);
    this.#release();
  }

  #release(): void {
    this.#files?.close();
    if (this.#config.globals.lvs.flushAtStop === "all") this.#tell(this.#services.flush());
    this.#services.close();
    this.#notifier.close();
  }

  async status(): Promise<ServersStatus> {
    const { method } = this.#services;
    const { pid = null, restarts } = this.#child;
    return serversStatus(await this.#report(), { pid, restarts, method });
  }

  /** The text of keepalived_check.data; undefined when the process does not answer. */
  async dump(): Promise<string | undefined> {
    const report = await this.#report();
    if (report === undefined) return undefined;
    const { scriptUser } = this.#config.globals;
    return printCheckData(this.#config, report, {
      account: ({ user }) => accountOf(user ?? scriptUser),
      fileValue: (name) => this.#files?.values.get(name),
    });
  }

  /** What the virtual servers say; undefined when the process doesn't answer in time. */
  async #report(): Promise<LvsReport | undefined> {
    return (await this.#child.ask("report", REPORT_MS, (id) => ({ kind: "report", id })))?.report;
  }

  #makeChild(): SupervisedChild<ToCheckerProcess, FromCheckerProcess> {
    const { isDaemon, dontRespawn, sessions, onPid, onGone } = this.#options;
    return new SupervisedChild({
      name: "Healthcheck",
      program: "checker.cjs",
      log: this.#log,
      isQuiet: isDaemon === true,
      dontRespawn: dontRespawn === true,
      boundMs: () => HANG_MS,
      greeting: () => ({
        kind: "start",
        config: lvsConfig(this.#config),
        process: this.#config.globals.process.checker,
        scriptUser: this.#config.globals.scriptUser,
        method: this.#services.method,
        namespace: servicesNamespace(this.#config),
        files: this.#files?.values ?? new Map(),
        sessions,
        suspects: this.#suspects(),
        beatMs: beatIntervalMs(HANG_MS),
      }),
      onMessage: (message) => this.#receive(message),
      // The kernel keeps what it has: who was served is served on, until a new process has looked again.
      onDead: () => {},
      onEnd: () => {},
      onGone: () => {
        this.#release();
        onGone?.();
      },
      onPid: (pid) => onPid?.(pid),
    });
  }

  /** Who was not served when the last process died. */
  #suspects(): ReadonlySet<string> {
    const found = new Set<string>();
    for (const { name, realServers } of this.#config.virtualServers) {
      const pool = this.#pools.get(name)?.filter(({ weight }) => weight > 0);
      if (pool === undefined) continue;
      for (const server of realServers) {
        const { ip, port } = server.address;
        if (!pool.some((one) => one.port === port && equalBytes(one.ip, ip))) found.add(suspectKey(name, server.name));
      }
    }
    return found;
  }

  #receive(message: Said<FromCheckerProcess>): void {
    switch (message.kind) {
      case "log":
        this.#log.write(message.level, message.text);
        break;
      case "notify":
        this.#notifier.notifyServer(message.event);
        break;
      case "mail":
        this.#mailer.send(message.text);
        break;
      case "set":
        this.#pools.set(message.settings.name, message.destinations);
        this.#tell(this.#services.set(message.settings, message.destinations));
        break;
      case "remove":
        this.#pools.delete(message.name);
        this.#tell(this.#services.remove(message.name));
        break;
      case "timeouts":
        this.#tell(this.#services.setTimeouts(message.timeouts));
        break;
      case "flush":
        this.#tell(this.#services.flush());
        break;
    }
  }

  #tell(failure: ServiceFailure | undefined): void {
    if (failure !== undefined) this.#log.write("error", failure.message);
  }

  /** The files that a FILE_CHECK looks into. */
  #trackFiles(): void {
    this.#files?.close();
    const checkers = this.#config.virtualServers.flatMap(({ realServers }) =>
      realServers.flatMap((one) => one.checkers),
    );
    const names = new Set(checkers.flatMap((checker) => (checker.kind === "FILE_CHECK" ? [checker.file] : [])));
    const files = this.#config.trackFiles.filter(({ name }) => names.has(name));
    this.#files = new FileTracker(files, this.#log, (name, value) => this.#child.send({ kind: "file", name, value }));
  }
}
