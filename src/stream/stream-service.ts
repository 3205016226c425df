/** The stream service of a worker: accepts on the sockets of a plan and gives each connection to its listening point. */
import type { Debtor } from "../base/zone-ledger.ts";
import type { Acceptor } from "../io/reactor.ts";
import type { Service } from "../io/service.ts";
import type { Stream } from "../io/stream.ts";
import { acceptAll, addressIndexOf, hasRoom } from "../net/accepting.ts";
import type { SocketPlan } from "../net/listening-plan.ts";
import { Builder } from "./build.ts";
import { streamModules, streamVariables } from "./modules.ts";
import { FINISHED } from "./outcome.ts";
import type { StreamPlan } from "./plan.ts";
import type { ListeningPoint } from "./server.ts";
import type { StreamPorts } from "./service.ts";
import { Session } from "./session.ts";
import { Worker } from "./worker.ts";

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
    this.acceptors = acceptAll(this.worker.ports, this.plan.sockets, fds, (stream, socket) =>
      this.accepted(stream, socket),
    );
  }

  supervise(): void {
    this.worker.upstreams.startNames();
  }

  private accepted(stream: Stream, socket: SocketPlan): void {
    const { worker } = this;
    worker.countAccepted();
    if (!hasRoom(stream, worker.active, worker)) return;
    const session = new Session(worker, stream, this.points[addressIndexOf(stream, socket)] as ListeningPoint);
    stream.owner = session;
    session.start();
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
