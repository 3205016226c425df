/**
 * `interface_up_down_delays`: a link counts as up or down only when it has been so for a while. Whoever looks at the node's links sees them
 * through this. keepalived's counterpart: the debounce timers of vrrp_if.c.
 */
import type { LinkDelay } from "../conf/keepalived/config.ts";
import type { Link } from "../io/routing.ts";

interface Seen {
  /** What everybody is told. */
  isRunning: boolean;
  /** When the other state becomes what everybody is told; undefined: the kernel says the same. */
  changesMs: number | undefined;
}

export class LinkDelays {
  #delays = new Map<string, LinkDelay>();
  readonly #seen = new Map<string, Seen>();

  configure(delays: readonly LinkDelay[]): void {
    this.#delays = new Map(delays.map((delay) => [delay.name, delay]));
    for (const name of [...this.#seen.keys()]) if (!this.#delays.has(name)) this.#seen.delete(name);
  }

  /** When a link's state may change by itself. */
  get nextMs(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { changesMs } of this.#seen.values()) next = Math.min(next, changesMs ?? next);
    return next;
  }

  /** The links with the states that count now. */
  *of(links: Iterable<Link>, nowMs: number): Iterable<Link> {
    for (const link of links) {
      const delay = this.#delays.get(link.name);
      const isRunning = delay === undefined ? link.isRunning : this.#settle(delay, link.isRunning, nowMs);
      yield isRunning === link.isRunning ? link : { ...link, isRunning };
    }
  }

  #settle({ name, downMs, upMs }: LinkDelay, isRunning: boolean, nowMs: number): boolean {
    const seen = this.#seen.get(name);
    if (seen === undefined) {
      this.#seen.set(name, { isRunning, changesMs: undefined });
      return isRunning;
    }
    if (seen.isRunning === isRunning) {
      seen.changesMs = undefined;
      return isRunning;
    }
    seen.changesMs ??= nowMs + (isRunning ? upMs : downMs);
    if (seen.changesMs > nowMs) return seen.isRunning;
    seen.isRunning = isRunning;
    seen.changesMs = undefined;
    return isRunning;
  }
}
