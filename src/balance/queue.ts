/**
 * Requests that wait for a peer when none can be had: first come, first served, only so many, only so long.
 * nginx Plus: `queue NUMBER [timeout=TIME]`.
 */

export class Queue<Ticket extends object> {
  private readonly limit: number;
  private readonly timeoutMs: number;
  /** When each has to give up, in the order of arrival; all wait equally long, so that is the order of giving up, too. */
  private readonly tickets = new Map<Ticket, number>();
  private serving = false;

  constructor(limit: number, timeoutMs: number) {
    this.limit = limit;
    this.timeoutMs = timeoutMs;
  }

  get size(): number {
    return this.tickets.size;
  }

  /** Takes a place at the end; false when all are taken. */
  join(ticket: Ticket, nowMs: number): boolean {
    if (this.tickets.size >= this.limit) return false;
    this.tickets.set(ticket, nowMs + this.timeoutMs);
    return true;
  }

  /** The request goes away. */
  leave(ticket: Ticket): void {
    this.tickets.delete(ticket);
  }

  /**
   * A peer may have become free: `offer` is asked for each ticket from the front, until it says false: "there is no peer for
   * this one". Who is served leaves the queue, and is told by `served` then. Calls from inside either do nothing: the round that
   * runs goes on.
   */
  serve(offer: (ticket: Ticket) => boolean, served: (ticket: Ticket) => void): void {
    if (this.serving) return;
    this.serving = true;
    for (const ticket of this.tickets.keys()) {
      if (!offer(ticket)) break;
      this.tickets.delete(ticket);
      served(ticket);
    }
    this.serving = false;
  }

  /** Tells and removes who has waited too long. Returns the time of the next such, ms; undefined when nobody waits. */
  expire(nowMs: number, giveUp: (ticket: Ticket) => void): number | undefined {
    for (const [ticket, deadline] of this.tickets) {
      if (deadline > nowMs) return deadline;
      this.tickets.delete(ticket);
      giveUp(ticket);
    }
    return undefined;
  }
}
