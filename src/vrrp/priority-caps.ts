/** How high the routers of a node may rank: below a partner that they were handed to, and lowest on a node that wants nothing. */
import { PRIORITY_OWNER } from "../wire/vrrp/advert.ts";

export class PriorityCaps {
  readonly #caps = new Map<string, number>();
  /** By order. */
  #isDrained = false;
  /** Nobody looks after this node, and what it had is given away. */
  #isUnattended = false;
  /** Caps of before nobody looked after this node; undefined: somebody does. */
  #before: Map<string, number> | undefined;

  /** The node wants no address. */
  get isDrained(): boolean {
    return this.#isDrained || this.#isUnattended;
  }

  /** No priority above this one, until another hand-over or a new start. A drained node wants nothing that others have. */
  limitOf(router: string, isActive: boolean): number {
    return this.#caps.get(router) ?? (this.isDrained && !isActive ? 1 : PRIORITY_OWNER);
  }

  /** What `set` has set; undefined: nothing. */
  get(router: string): number | undefined {
    return this.#caps.get(router);
  }

  /** At least 1, the lowest priority; undefined: as configured. */
  set(router: string, priority: number | undefined): void {
    if (priority === undefined) this.#caps.delete(router);
    else this.#caps.set(router, Math.max(1, priority));
  }

  /** It ranks as configured, and will when somebody looks after this node again. */
  lift(router: string): void {
    this.#caps.delete(router);
    this.#before?.delete(router);
  }

  /** An order: no address is wanted, or is wanted again, those that were handed over too. */
  drain(isDrained: boolean): void {
    this.#isDrained = isDrained;
    if (isDrained) return;
    this.#caps.clear();
    this.#before?.clear();
  }

  /**
   * Nobody looks after this node from now on. What is returned is called with the routers that were given away: nothing is wanted then, and
   * `attend` lifts what giving them left behind, or this does where somebody was back before that. What an order has left behind stays.
   */
  leaveUnattended(): (given: readonly string[]) => void {
    this.#before ??= new Map(this.#caps);
    const before = this.#before;
    return (given) => {
      if (this.#before === before) this.#isUnattended = true;
      else for (const router of given) this.set(router, before.get(router));
    };
  }

  /** Somebody looks after it again; false: somebody did. */
  attend(): boolean {
    if (this.#before === undefined) return false;
    for (const router of [...this.#caps.keys()]) this.set(router, this.#before.get(router));
    this.#before = undefined;
    this.#isUnattended = false;
    return true;
  }
}
