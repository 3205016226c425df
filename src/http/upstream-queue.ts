/**
 * Requests of one worker that wait for a peer of an upstream, because all are busy or out of rotation. A peer that becomes free
 * here is offered at once; those that other workers, health checks or time have freed are looked for now and then.
 * nginx Plus: `queue`.
 */
import { Queue } from "../balance/queue.ts";
import { Timer } from "../net/timers.ts";
import type { Worker } from "./worker.ts";

/** `queue NUMBER [timeout=TIME]`. */
export interface QueueSettings {
  readonly limit: number;
  readonly timeoutMs: number;
}

/** How often peers are looked for while somebody waits. */
const LOOK_MS = 50;

/** Who waits. */
export interface QueueTicket {
  /** True when a peer has been found for it, which is then its own. */
  takePeer(): boolean;
  /** It has left the queue with that peer. */
  goOn(): void;
  /** It has waited too long, and has left the queue. */
  giveUp(): void;
}

const takePeer = (ticket: QueueTicket): boolean => ticket.takePeer();
const goOn = (ticket: QueueTicket): void => ticket.goOn();
const giveUp = (ticket: QueueTicket): void => ticket.giveUp();

export class UpstreamQueue {
  private readonly worker: Worker;
  private readonly tickets: Queue<QueueTicket>;
  private readonly timer = new Timer(() => this.look());
  private readonly task = (): void => this.serve();
  private isDeferred = false;

  constructor(worker: Worker, { limit, timeoutMs }: QueueSettings) {
    this.worker = worker;
    this.tickets = new Queue(limit, timeoutMs);
  }

  /** Takes a place; false when all are taken. */
  join(ticket: QueueTicket): boolean {
    if (!this.tickets.join(ticket, this.worker.ports.reactor.clock.now())) return false;
    if (!this.timer.armed) this.worker.timers.arm(this.timer, LOOK_MS);
    return true;
  }

  leave(ticket: QueueTicket): void {
    this.tickets.leave(ticket);
  }

  /** A peer may be free. Whoever waits is served when the present turn is over: this may be in the middle of another request. */
  peerIsFree(): void {
    if (this.isDeferred || this.tickets.size === 0) return;
    this.isDeferred = true;
    this.worker.ports.reactor.defer(this.task);
  }

  private serve(): void {
    this.isDeferred = false;
    this.tickets.serve(takePeer, goOn);
  }

  private look(): void {
    this.serve();
    this.tickets.expire(this.worker.ports.reactor.clock.now(), giveUp);
    if (this.tickets.size > 0) this.worker.timers.arm(this.timer, LOOK_MS);
  }
}
