/**
 * The checker process: the checkers of all virtual servers, and what follows from what they find. The kernel's part, pipes and notify
 * scripts are the supervisor's, told over the IPC channel, so that a crash here changes nothing of what is served. When
 * the channel closes the supervisor has died, and the process leaves. keepalived's counterpart: the healthcheck child, check_daemon.c.
 */
import type { Level, Log } from "../base/log.ts";
import type { Command, ProcessSettings } from "../conf/keepalived/config.ts";
import type { RoutingWatch } from "../io/routing.ts";
import type { ServiceDestination, ServiceSettings, ServiceTimeouts, VirtualServices } from "../io/virtual-services.ts";
import { LvsNode } from "../lvs/node.ts";
import type { CommandResult } from "../lvs/ports.ts";
import { reportLvs } from "../lvs/report.ts";
import { IpvsServices, openIpvs } from "../os/ipvs.ts";
import { inNamespace } from "../os/network-namespace.ts";
import { setProcessTitle } from "../os/process-title.ts";
import { setAffinity, setNiceness, setRoundRobin } from "../os/realtime.ts";
import { openRouting } from "../os/routing.ts";
import { monotonicClock, TimerfdAlarm } from "../os/timer.ts";
import { compileBodyPattern } from "./body-pattern.ts";
import type { FromCheckerProcess, ToCheckerProcess } from "./checker-messages.ts";
import { IpcChannel } from "./ipc-channel.ts";
import { holdPath } from "./net-namespace.ts";
import { NodeProbes } from "./probes.ts";
import { runCheck } from "./run-check.ts";
import { CommandRunner } from "./run-command.ts";

/** The supervisor's virtual services, as they look from here: what fails is told there. */
class RemoteServices implements VirtualServices {
  readonly method: VirtualServices["method"];
  readonly #channel: IpcChannel<FromCheckerProcess>;
  readonly #present = new Map<string, ServiceSettings>();

  readonly #namespace: string | undefined;

  constructor(
    method: VirtualServices["method"],
    namespace: string | undefined,
    channel: IpcChannel<FromCheckerProcess>,
  ) {
    this.method = method;
    this.#namespace = holdPath(namespace);
    this.#channel = channel;
  }

  set(settings: ServiceSettings, destinations: readonly ServiceDestination[]): undefined {
    this.#present.set(settings.name, settings);
    this.#channel.send({ kind: "set", settings, destinations });
  }

  remove(name: string): undefined {
    this.#present.delete(name);
    this.#channel.send({ kind: "remove", name });
  }

  setTimeouts(timeouts: ServiceTimeouts): undefined {
    this.#channel.send({ kind: "timeouts", timeouts });
  }

  flush(): undefined {
    this.#channel.send({ kind: "flush" });
  }

  close(): void {}

  /** The supervisor is dead: what IPVS still has goes from here. nf_tables has lost its owner, and with it everything. */
  removeOrphans(): void {
    if (this.method !== "IPVS") return;
    const requests = inNamespace(this.#namespace, () => openIpvs(false));
    if (requests === undefined) return;
    const services = new IpvsServices(requests);
    // Made anew without destinations, and taken away as its own.
    for (const settings of this.#present.values()) services.set(settings, []);
    services.close();
  }
}

/** Does what is asked for and permitted; returns what was refused. */
function schedule({ niceness, realtimePriority, cpuAffinity }: ProcessSettings["checker"]): string[] {
  const refused: (string | undefined)[] = [];
  if (realtimePriority !== undefined) refused.push(setRoundRobin(realtimePriority));
  if (cpuAffinity.length > 0) refused.push(setAffinity(cpuAffinity));
  if (niceness !== undefined) refused.push(setNiceness(niceness));
  return refused.filter((text) => text !== undefined);
}

class CheckerProcess {
  readonly #channel = new IpcChannel<FromCheckerProcess>();
  readonly #log: Log = {
    enabled: (level: Level) => level !== "debug",
    write: (level, text) => this.#channel.sendIfIdle({ kind: "log", level, text }),
  };
  readonly #runner = new CommandRunner(this.#log, undefined);
  #services: RemoteServices | undefined;
  #node: LvsNode | undefined;
  #watch: RoutingWatch | undefined;

  receive(message: ToCheckerProcess): void {
    switch (message.kind) {
      case "start":
        this.#start(message);
        break;
      case "reload":
        this.#runner.setDefaultUser(message.scriptUser);
        this.#node?.reload(message.config);
        break;
      case "file":
        this.#node?.fileValue(message.name, message.value);
        break;
      case "session":
        this.#node?.session(message.name, message.isUp);
        break;
      case "report":
        if (this.#node !== undefined)
          this.#channel.send({ kind: "report", id: message.id, report: reportLvs(this.#node) });
        break;
      case "stop":
        this.stop();
        break;
    }
  }

  #start(message: Extract<ToCheckerProcess, { kind: "start" }>): void {
    const { config, process: settings, scriptUser, method, namespace, files, sessions, suspects, beatMs } = message;
    setProcessTitle("keepalived: healthcheck process", settings.name ?? "keepalived");
    for (const refused of schedule(settings)) this.#log.write("notice", `not permitted here: ${refused}`);
    this.#runner.setDefaultUser(scriptUser);
    const services = new RemoteServices(method, namespace, this.#channel);
    this.#services = services;
    const node = new LvsNode(
      {
        clock: monotonicClock(),
        log: this.#log,
        probes: new NodeProbes(),
        services,
        alarm: (ring) => new TimerfdAlarm(ring),
        run: (command: Command, timeoutMs: number, done: (result: CommandResult) => void) =>
          runCheck(this.#runner, command, timeoutMs, done),
        random: Math.random,
        compile: compileBodyPattern,
        notify: (event) => this.#channel.send({ kind: "notify", event }),
        mail: (text) => this.#channel.send({ kind: "mail", text }),
      },
      config,
      suspects,
    );
    this.#node = node;
    for (const [name, value] of files) node.fileValue(name, value);
    for (const [name, isUp] of sessions) node.session(name, isUp);
    this.#watchAddresses(node);
    node.start();
    this.#channel.send({ kind: "ready" });
    // The first one at once: from then on it is watched.
    this.#channel.send({ kind: "beat" });
    setInterval(() => this.#channel.sendAtOnce({ kind: "beat" }), beatMs);
  }

  /** For ha_suspend: which addresses this machine has. */
  #watchAddresses(node: LvsNode): void {
    const tell = (): void => node.addressesAre([...(this.#watch?.addresses() ?? [])].map(({ ip }) => ip));
    this.#watch = openRouting().watch({
      onLink: () => {},
      onLinkGone: () => {},
      onAddress: tell,
      onAddressGone: tell,
    });
    tell();
  }

  stop(): void {
    this.#node?.stop();
    if (process.connected) process.disconnect();
    process.exit(0);
  }

  /** The supervisor has died. */
  orphaned(): void {
    this.#services?.removeOrphans();
    this.stop();
  }
}

/** The body of the child's main file. */
export function runCheckerProcess(): void {
  const checker = new CheckerProcess();
  process.on("message", (message) => checker.receive(message as ToCheckerProcess));
  process.on("disconnect", () => checker.orphaned());
  process.on("SIGTERM", () => checker.stop());
  // These are meant for the supervisor; a terminal and killall send them to every process of the family.
  for (const signal of ["SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2"] as const) process.on(signal, () => {});
}
