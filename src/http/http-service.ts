/** The HTTP service of a worker: accepts on the sockets of a plan and gives each connection to its listening point. */
import type { Debtor } from "../base/zone-ledger.ts";
import type { Acceptor } from "../io/reactor.ts";
import type { Service, UpstreamState } from "../io/service.ts";
import type { Stream } from "../io/stream.ts";
import { acceptAll, addressIndexOf, hasRoom } from "../net/accepting.ts";
import type { SocketPlan } from "../net/listening-plan.ts";
import { Builder } from "./build.ts";
import { Connection } from "./connection.ts";
import type { ListeningPoint } from "./location.ts";
import { httpModules, httpVariables } from "./modules.ts";
import type { HttpPlan } from "./plan.ts";
import { ProxyHeaderReader } from "./proxy-header-reader.ts";
import type { HttpPorts } from "./service.ts";
import { UpstreamStates } from "./upstream-states.ts";
import { Worker } from "./worker.ts";

/** Builds the service. Log files are opened now. */
export function createHttpService(plan: HttpPlan, ports: HttpPorts): Service {
  return new HttpService(plan, ports);
}

class HttpService implements Service {
  private readonly plan: HttpPlan;
  private readonly worker: Worker;
  private readonly points: readonly ListeningPoint[];
  /** The second in which connections were last closed for new ones. */
  private reusedS = 0;
  private acceptors: Acceptor[] = [];
  private states: UpstreamStates | undefined = undefined;

  constructor(plan: HttpPlan, ports: HttpPorts) {
    this.plan = plan;
    this.worker = new Worker(ports);
    this.points = new Builder(httpModules, httpVariables(), this.worker).build(plan);
  }

  get bindsForeign(): boolean {
    return this.worker.bindsForeign;
  }

  start(fds: readonly number[]): void {
    this.acceptors = acceptAll(this.worker.ports, this.plan.sockets, fds, (stream, socket) =>
      this.accepted(stream, socket),
    );
  }

  supervise(onChange: () => void): void {
    this.worker.upstreams.startNames();
    this.worker.health.start();
    this.states = new UpstreamStates(this.worker, onChange);
  }

  upstreams(): readonly UpstreamState[] | undefined {
    return this.states?.states();
  }

  /** Another worker has taken over, or nobody needs it any more. */
  private stopSupervision(): void {
    this.worker.upstreams.stopNames();
    this.worker.health.stop();
    this.states?.stop();
    this.states = undefined;
  }

  private accepted(stream: Stream, socket: SocketPlan): void {
    const { worker } = this;
    worker.countAccepted();
    const { maxConnections } = worker.ports;
    if (maxConnections - worker.connections.size <= maxConnections * SCARCE) this.makeRoom();
    if (!hasRoom(stream, worker.connections.size, worker)) return;
    const point = this.points[addressIndexOf(stream, socket)] as ListeningPoint;
    const connection = new Connection(worker, stream, point);
    stream.owner = point.proxyProtocol ? new ProxyHeaderReader(connection) : connection;
  }

  /** Closes a few of the connections on which nobody asks for anything, the oldest first. nginx: ngx_drain_connections. */
  private makeRoom(): void {
    const { worker } = this;
    const reusable = worker.connections.list().filter((connection) => connection.reusable);
    if (reusable.length === 0) return;
    const now = worker.dates.now();
    if (this.reusedS !== now) {
      this.reusedS = now;
      const { maxConnections } = worker.ports;
      worker.log.write("warn", `${maxConnections} worker_connections are not enough, reusing connections`);
    }
    const count = Math.max(1, Math.min(REUSED_AT_ONCE, Math.floor(reusable.length / 8)));
    for (const connection of reusable.slice(0, count)) connection.terminate(0);
  }

  quiesce(onIdle: () => void): void {
    const { worker } = this;
    for (const acceptor of this.acceptors) acceptor.close();
    this.acceptors = [];
    this.stopSupervision();
    worker.quiescing = true;
    for (const upstream of worker.upstreams.all) upstream.closeIdle();
    worker.onIdle = () => {
      worker.onIdle = undefined;
      worker.accessLogs.flush();
      onIdle();
    };
    for (const connection of worker.connections.list()) connection.quiesce();
    if (worker.connections.size === 0) worker.onIdle?.();
  }

  drain(addresses: readonly string[]): void {
    const { worker } = this;
    // An IPv6 socket has its IPv4 connections under mapped addresses.
    const names = addresses.flatMap((address) => (address.includes(":") ? [address] : [address, `::ffff:${address}`]));
    worker.leaving = names.length === 0 ? undefined : new Set(names);
    for (const connection of worker.connections.list()) if (connection.isLeaving) connection.quiesce();
  }

  terminate(): void {
    for (const acceptor of this.acceptors) acceptor.close();
    this.acceptors = [];
    this.stopSupervision();
    for (const connection of this.worker.connections.list()) connection.terminate(0);
    for (const upstream of this.worker.upstreams.all) upstream.closeIdle();
    this.worker.accessLogs.flush();
  }

  reopenLogs(): void {
    this.worker.accessLogs.reopen();
  }

  settle(debtor: Debtor): void {
    this.worker.limits.settle(debtor);
    this.worker.caches.settle(debtor);
    this.worker.upstreams.settle(debtor);
  }
}

/** The share of all connections that are free when others are closed for new ones. */
const SCARCE = 1 / 16;
const REUSED_AT_ONCE = 32;
