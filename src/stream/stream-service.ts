/** The stream service of a worker: accepts on the sockets of a plan and gives each connection to its listening point. */
import { printIp } from "../base/ip.ts";
import type { Debtor } from "../base/zone-ledger.ts";
import type { Acceptor } from "../io/reactor.ts";
import type { Service } from "../io/service.ts";
import type { Stream } from "../io/stream.ts";
import type { SocketPlan } from "../net/listening-plan.ts";
import { SMALL_BYTES } from "../net/memory-guard.ts";
import { Builder } from "./build.ts";
import { streamModules, streamVariables } from "./modules.ts";
import { FINISHED } from "./outcome.ts";
import type { StreamPlan } from "./plan.ts";
import type { ListeningPoint } from "./server.ts";
import type { StreamPorts } from "./service.ts";
import { Session } from "./session.ts";
import { Worker } from "./worker.ts";

const ENOMEM = 12;
const EMFILE = 24;
const ENFILE = 23;

/** Builds the service. Log files are opened now. */
export function createStreamService(plan: StreamPlan, ports: StreamPorts): Service {
  return new StreamService(plan, ports);
}

class StreamService implements Service {
  private readonly plan: StreamPlan;
  private readonly worker: Worker;
  private readonly points: readonly ListeningPoint[];
  private acceptors: Acceptor[] = [];

  constructor(plan: StreamPlan, ports: StreamPorts) {
    this.plan = plan;
    this.worker = new Worker(ports);
    this.points = new Builder(streamModules, streamVariables(), this.worker).build(plan);
  }

  get bindsForeign(): boolean {
    return this.worker.bindsForeign;
  }

  start(fds: readonly number[]): void {
    const { ports } = this.worker;
    this.acceptors = this.plan.sockets.map((socket, index) =>
      ports.reactor.accept(fds[index] as number, {
        multiAccept: ports.multiAccept,
        onAccept: (stream) => this.accepted(stream, socket),
        onError: (errno) =>
          ports.log.write(errno === EMFILE || errno === ENFILE ? "crit" : "alert", "accept4() failed", { errno }),
      }),
    );
  }

  supervise(): void {
    this.worker.upstreams.startNames();
  }

  private accepted(stream: Stream, socket: SocketPlan): void {
    const { worker } = this;
    const { maxConnections } = worker.ports;
    worker.countAccepted();
    if (worker.active >= maxConnections) {
      worker.log.write("alert", `${maxConnections} worker_connections are not enough`);
      stream.close();
      return;
    }
    if (!worker.guard.allows(SMALL_BYTES)) {
      worker.log.write("emerg", `malloc(${SMALL_BYTES}) failed`, { errno: ENOMEM });
      stream.close();
      return;
    }
    const session = new Session(worker, stream, this.pointOf(stream, socket));
    stream.owner = session;
    session.start();
  }

  private pointOf(stream: Stream, { fallback, byIp }: SocketPlan): ListeningPoint {
    let index = fallback;
    if (byIp.size > 0) {
      const { local } = stream;
      if ("ip" in local) index = byIp.get(printIp(local.ip)) ?? fallback;
    }
    return this.points[index] as ListeningPoint;
  }

  private stopAccepting(): void {
    for (const acceptor of this.acceptors) acceptor.close();
    this.acceptors = [];
    this.worker.upstreams.stopNames();
  }

  /** Sessions go on until they end by themselves: there is nothing in them that could be asked to end, as in nginx. */
  quiesce(onIdle: () => void): void {
    const { worker } = this;
    this.stopAccepting();
    worker.onIdle = () => {
      worker.onIdle = undefined;
      worker.accessLogs.flush();
      onIdle();
    };
    if (worker.sessions.size === 0) worker.onIdle();
  }

  terminate(): void {
    this.stopAccepting();
    for (const session of this.worker.sessions.list()) session.finish(FINISHED);
    this.worker.accessLogs.flush();
  }

  reopenLogs(): void {
    this.worker.accessLogs.reopen();
  }

  settle(debtor: Debtor): void {
    this.worker.limits.settle(debtor);
    this.worker.upstreams.settle(debtor);
  }
}
