/**
 * One fault, played through: events in order of time, with the earliest or the latest instants that the timers allow. The
 * timers are RFC 9568's (§6.1, §6.4), with what Tandem or keepalived make of them; vrrp/instance.ts is the machine itself.
 */
import { QUIET_REFRESH_MS } from "../../vrrp/announce.ts";
import { downMs, skewMs } from "../failover.ts";
import { type Standing, standingOf } from "./assess.ts";
import { type Fault, type Stage, stagesOf } from "./faults.ts";
import { hasHigherAddress, hears, isReachable, isUseful, type Unit, type UnitNode, type World } from "./world.ts";

/** All waits as short as they can be, or as long. */
export type Edge = "early" | "late";

/** Why a backup takes over. */
export type Cause =
  /** Its active router said goodbye. */
  | "goodbye"
  /** It hears nothing any more. */
  | "silence"
  /** BFD says that the active router is gone. */
  | "bfd"
  /** The active router has fallen below it. */
  | "outranked"
  /** It is new, and ranks above the active router. */
  | "preempts"
  /** The active router gives it the addresses before it lets go. */
  | "handover";

/** Something that happened. */
export type Event =
  | {
      readonly kind: "takes";
      readonly atMs: number;
      readonly node: number;
      readonly cause: Cause;
      readonly waitMs: number;
    }
  | {
      readonly kind: "leaves";
      readonly atMs: number;
      readonly node: number;
      readonly isGoodbye: boolean;
      readonly why: string;
    }
  | { readonly kind: "yields"; readonly atMs: number; readonly node: number; readonly to: number };

/** What came of a fault. */
export interface Play {
  readonly events: readonly Event[];
  readonly world: World;
  /** Longest time that clients were not served; Infinity: for ever. */
  readonly gapMs: number;
}

/** A bound for a world that never comes to rest. */
const MAX_EVENTS = 64;

/** The world before any fault: the best router has the addresses; routers that do not hear each other all have them. */
export function settled(unit: Unit, fresh: World): World {
  const eligible = [...unit.nodes.keys()].filter((i) => standingOf(unit, fresh, i).faults.length === 0);
  const holders = unit.isSplit ? eligible : eligible.sort((a, b) => rank(unit, fresh, b, a)).slice(0, 1);
  return { ...fresh, holders, clientsAt: holders[0] };
}

/** Above 0: `a` ranks above `b`. */
function rank(unit: Unit, world: World, a: number, b: number): number {
  const of = (i: number): number => standingOf(unit, world, i).priorities[0] ?? 0;
  return of(a) - of(b) || (hasHigherAddress(unit, a, b) ? 1 : -1);
}

/** Plays a fault through, until nothing moves any more. */
export function play(unit: Unit, before: World, fault: Fault, edge: Edge): Play {
  return new Stagehand(unit, before, edge).play(stagesOf(unit, before, fault));
}

/** What one backup's timer of one instance knows. */
interface Wait {
  /** The active router that it obeys; undefined: none. */
  obeys: number | undefined;
  /** The one that it has heard last. */
  known: number | undefined;
  /** When it takes over; Infinity while it obeys somebody. */
  atMs: number;
  cause: Cause;
  sinceMs: number;
}

class Stagehand {
  readonly #unit: Unit;
  readonly #edge: Edge;
  #world: World;
  readonly #events: Event[] = [];
  readonly #waits: (Wait[] | undefined)[];
  /** Holders that have said goodbye when they left. */
  readonly #goodbyes = new Set<number>();
  #nowMs = 0;
  /** Who has not been served since when. */
  #unservedSinceMs: number | undefined;
  #gapMs = 0;
  /** When the clients of a holder that has gone hear of another one. */
  #turn: { readonly atMs: number; readonly to: number } | undefined;

  constructor(unit: Unit, before: World, edge: Edge) {
    this.#unit = unit;
    this.#edge = edge;
    this.#world = before;
    const [holder] = before.holders;
    this.#waits = unit.nodes.map((node, i) =>
      before.holders.includes(i) || this.#standing(i).faults.length > 0 || before.conditions[i]?.runsVrrp === false
        ? undefined
        : node.instances.map((_, m) => {
            const heard = before.holders.find((h) => hears(unit, before, i, h, m)) ?? holder;
            return { obeys: heard, known: heard, atMs: Number.POSITIVE_INFINITY, cause: "silence", sinceMs: 0 };
          }),
    );
    if (!this.#isServed()) this.#unservedSinceMs = 0;
  }

  play(unordered: readonly Stage[]): Play {
    const stages = unordered.toSorted((a, b) => this.#pick(a.atMs) - this.#pick(b.atMs));
    let next = 0;
    for (let count = 0; count < MAX_EVENTS; count++) {
      const stage = stages[next];
      const stageMs = stage === undefined ? Number.POSITIVE_INFINITY : this.#pick(stage.atMs);
      const [taker, takeMs] = this.#firstTaker();
      const turnMs = this.#turn?.atMs ?? Number.POSITIVE_INFINITY;
      const atMs = Math.min(stageMs, takeMs, turnMs);
      if (!Number.isFinite(atMs)) break;
      this.#nowMs = Math.max(this.#nowMs, atMs);
      if (stage !== undefined && stageMs === atMs) {
        next++;
        this.#stage(stage);
      } else if (turnMs === atMs) {
        this.#world = { ...this.#world, clientsAt: this.#turn?.to };
        this.#turn = undefined;
      } else if (taker !== undefined) this.#take(taker);
      this.#watch();
    }
    const gapMs = this.#unservedSinceMs === undefined ? this.#gapMs : Number.POSITIVE_INFINITY;
    return { events: this.#events, world: this.#world, gapMs };
  }

  #pick({ minMs, maxMs }: { readonly minMs: number; readonly maxMs: number }): number {
    return this.#edge === "early" ? minMs : maxMs;
  }

  #standing(index: number): Standing {
    return standingOf(this.#unit, this.#world, index);
  }

  #isEligible(index: number): boolean {
    return this.#world.conditions[index]?.runsVrrp === true && this.#standing(index).faults.length === 0;
  }

  /** A unit takes over when all its instances may. */
  #firstTaker(): [number | undefined, number] {
    let taker: number | undefined;
    let takeMs = Number.POSITIVE_INFINITY;
    for (const [i, waits] of this.#waits.entries()) {
      if (waits === undefined) continue;
      const atMs = Math.max(...waits.map((wait) => wait.atMs));
      const isBetter = atMs === takeMs && taker !== undefined && rank(this.#unit, this.#world, i, taker) > 0;
      if (atMs < takeMs || isBetter) [taker, takeMs] = [i, atMs];
    }
    return [taker, takeMs];
  }

  #stage({ apply, isGraceful, expired }: Stage): void {
    const priorities = this.#unit.nodes.map((_, i) => this.#standing(i).priorities[0] ?? 0);
    const handover = isGraceful ? this.#handoverTo(apply) : undefined;
    if (handover !== undefined) this.#claim(handover, "handover", 0);
    this.#world = apply(this.#world);
    for (const index of [...this.#world.holders]) if (!this.#isEligible(index)) this.#leave(index, isGraceful);
    for (const [i, waits] of this.#waits.entries()) {
      if (!this.#isEligible(i)) this.#waits[i] = undefined;
      else if (waits === undefined && !this.#world.holders.includes(i)) this.#waits[i] = this.#newWaits(i);
    }
    this.#look(priorities);
    if (expired !== undefined && this.#unit.program === "tandem") this.#expire(expired);
  }

  /** A router that begins: it waits as if it had just heard somebody. */
  #newWaits(index: number): Wait[] {
    const { instances } = this.#unit.nodes[index] as UnitNode;
    const { priorities } = this.#standing(index);
    return instances.map((instance, m) => ({
      obeys: undefined,
      known: undefined,
      atMs: this.#nowMs + downMs(instance, priorities[m] as number) + instance.preemptDelayMs,
      cause: "preempts",
      sinceMs: this.#nowMs,
    }));
  }

  /** The best partner on the peer channel, when the holder is the one that the stage ends. */
  #handoverTo(apply: Stage["apply"]): number | undefined {
    const after = apply(this.#world);
    const leaver = this.#world.holders.find((i) => after.conditions[i]?.runsVrrp === false);
    if (leaver === undefined || after.conditions[leaver]?.isPowered !== false || this.#unit.program !== "tandem")
      return undefined;
    const channel = (i: number) => this.#unit.nodes[i]?.node.config.globals.peer;
    const own = channel(leaver);
    if (own?.key === undefined) return undefined;
    return [...this.#unit.nodes.keys()]
      .filter((i) => this.#waits[i] !== undefined && hears(this.#unit, this.#world, i, leaver, 0))
      .filter((i) => channel(i)?.key === own.key && channel(i)?.port === own.port)
      .sort((a, b) => rank(this.#unit, this.#world, b, a))[0];
  }

  #leave(index: number, isGraceful: boolean): void {
    const { faults } = this.#standing(index);
    const runs = this.#world.conditions[index]?.runsVrrp === true;
    const isSaid = isGraceful || (runs && faults.length > 0);
    const isHeard = this.#unit.nodes.some((node, c) => node.instances.some((_, m) => this.#couldHear(c, m, index)));
    const isGoodbye = isSaid && isHeard;
    if (isGoodbye) this.#goodbyes.add(index);
    this.#events.push({
      kind: "leaves",
      atMs: this.#nowMs,
      node: index,
      isGoodbye,
      why: runs ? (faults[0] ?? "") : "",
    });
    this.#drop(index);
  }

  #drop(index: number): void {
    const holders = this.#world.holders.filter((other) => other !== index);
    this.#world = { ...this.#world, holders };
    this.#waits[index] = this.#isEligible(index) ? this.#newWaits(index) : undefined;
  }

  /** Every backup looks again at whom it hears. `before` are the priorities that it knows. */
  #look(before: readonly number[]): void {
    for (const [c, waits] of this.#waits.entries())
      for (const [m, wait] of (waits ?? []).entries()) this.#lookAgain(c, m, wait, before);
  }

  #lookAgain(c: number, m: number, wait: Wait, before: readonly number[]): void {
    const instance = this.#unit.nodes[c]?.instances[m];
    if (instance === undefined) return;
    const priority = this.#standing(c).priorities[m] as number;
    const heard = this.#world.holders.filter((h) => hears(this.#unit, this.#world, c, h, m));
    const obeyed = heard.find((h) => instance.nopreempt || (this.#standing(h).priorities[m] as number) >= priority);
    if (obeyed !== undefined) {
      Object.assign(wait, { obeys: obeyed, known: obeyed, atMs: Number.POSITIVE_INFINITY });
      return;
    }
    const left = wait.obeys;
    if (left === undefined) return;
    const set = (waitMs: number, cause: Cause): void => {
      Object.assign(wait, { obeys: undefined, atMs: this.#nowMs + waitMs, cause, sinceMs: this.#nowMs });
    };
    const down = this.#downMs(c, m, left, priority);
    if (!heard.includes(left)) {
      const wasHeard = this.#goodbyes.has(left) && this.#couldHear(c, m, left);
      if (wasHeard) set(this.#skewMs(c, m, left, priority), "goodbye");
      else set(down, "silence");
      return;
    }
    // It ranks below us now. Its own fall is told at once; ours is compared with what was heard before.
    if (instance.preemptDelayMs > 0) set(instance.preemptDelayMs + this.#delayedMs(c, m, left, priority), "outranked");
    else {
      const hasSunk = (before[left] ?? 0) > (this.#standing(left).priorities[0] ?? 0);
      const soon = hasSunk && this.#unit.program === "tandem";
      set(soon ? this.#skewMs(c, m, left, priority) : down, "outranked");
    }
  }

  /** A goodbye needs the way between the two, not a router that goes on. */
  #couldHear(c: number, m: number, left: number): boolean {
    const conditions = this.#world.conditions.map((condition, i) =>
      i === left ? { ...condition, isPowered: true, runsVrrp: true } : condition,
    );
    return hears(this.#unit, { ...this.#world, conditions }, c, left, m);
  }

  /** Version 3 backups use the interval of the active router. */
  #intervalMs(c: number, m: number, active: number): number {
    const own = this.#unit.nodes[c]?.instances[m];
    const theirs = this.#unit.nodes[active]?.instances[m];
    return (own?.version === 3 ? theirs?.advertIntervalMs : own?.advertIntervalMs) ?? 0;
  }

  #skewMs(c: number, m: number, active: number, priority: number): number {
    const instance = this.#unit.nodes[c]?.instances[m];
    if (instance === undefined) return 0;
    return skewMs({ ...instance, advertIntervalMs: this.#intervalMs(c, m, active) }, priority);
  }

  /** What is left of the Active_Down_Interval: the last advert may just have come, or the next may have been due. */
  #downMs(c: number, m: number, active: number, priority: number): number {
    const instance = this.#unit.nodes[c]?.instances[m];
    if (instance === undefined) return 0;
    const advertIntervalMs = this.#intervalMs(c, m, active);
    const whole = downMs({ ...instance, advertIntervalMs }, priority);
    return this.#edge === "early" ? whole - (this.#unit.nodes[active]?.instances[m]?.advertIntervalMs ?? 0) : whole;
  }

  /** Behind a preempt_delay, which begins with an advert and ends with one. */
  #delayedMs(c: number, m: number, active: number, priority: number): number {
    const down = this.#downMs(c, m, active, priority);
    return this.#edge === "early" ? down : down + this.#intervalMs(c, m, active);
  }

  #expire({ observer, neighbor, detectionMs }: NonNullable<Stage["expired"]>): void {
    for (const [m, wait] of (this.#waits[observer] ?? []).entries()) {
      if (wait.known !== neighbor || this.#goodbyes.has(neighbor)) continue;
      if (hears(this.#unit, this.#world, observer, neighbor, m)) continue;
      const priority = this.#standing(observer).priorities[m] as number;
      const share = ((256 - priority) * detectionMs) / 256;
      const atMs = this.#nowMs + Math.min(this.#skewMs(observer, m, neighbor, priority), share);
      if (atMs < wait.atMs) Object.assign(wait, { atMs, cause: "bfd" });
    }
  }

  #take(index: number): void {
    const waits = this.#waits[index] ?? [];
    const last = waits.reduce((a, b) => (b.atMs > a.atMs ? b : a));
    this.#claim(index, last.cause, this.#nowMs - last.sinceMs);
  }

  #claim(index: number, cause: Cause, waitMs: number): void {
    this.#goodbyes.delete(index);
    this.#events.push({ kind: "takes", atMs: this.#nowMs, node: index, cause, waitMs });
    this.#waits[index] = undefined;
    const clientsAt = isReachable(this.#unit, this.#world.conditions, index) ? index : this.#world.clientsAt;
    this.#world = { ...this.#world, holders: [...this.#world.holders, index], clientsAt };
    this.#turn = undefined;
    for (const other of this.#world.holders.filter((one) => one !== index)) {
      const isHeard = this.#unit.nodes[index]?.instances.some((_, m) =>
        hears(this.#unit, this.#world, other, index, m),
      );
      if (isHeard !== true) continue;
      const loser = cause === "handover" || rank(this.#unit, this.#world, index, other) > 0 ? other : index;
      this.#events.push({ kind: "yields", atMs: this.#nowMs, node: loser, to: loser === index ? other : index });
      this.#drop(loser);
    }
    this.#look(this.#unit.nodes.map((_, i) => this.#standing(i).priorities[0] ?? 0));
  }

  #isServed(): boolean {
    const { clientsAt, holders } = this.#world;
    return clientsAt !== undefined && holders.includes(clientsAt) && isUseful(this.#unit, this.#world, clientsAt);
  }

  /** Keeps the account of what clients miss. */
  #watch(): void {
    const { clientsAt, holders, conditions } = this.#world;
    const isGone =
      clientsAt === undefined || !holders.includes(clientsAt) || !isReachable(this.#unit, conditions, clientsAt);
    const other = holders.find((i) => isReachable(this.#unit, conditions, i));
    if (isGone && other !== undefined && this.#turn === undefined) {
      const everyMs = this.#refreshMs(other);
      this.#turn = { to: other, atMs: this.#edge === "early" ? this.#nowMs : this.#nowMs + everyMs };
    }
    if (this.#isServed()) {
      if (this.#unservedSinceMs !== undefined) this.#gapMs = Math.max(this.#gapMs, this.#nowMs - this.#unservedSinceMs);
      this.#unservedSinceMs = undefined;
    } else this.#unservedSinceMs ??= this.#nowMs;
  }

  /** How often a router that is active says so to clients that send elsewhere. */
  #refreshMs(index: number): number {
    const { program } = this.#unit;
    const instance = this.#unit.nodes[index]?.instances[0];
    const written = instance?.announce.refreshMs ?? 0;
    if (written > 0) return written;
    const isQuiet = program === "tandem" && instance?.where.has("garp_master_refresh") !== true;
    // Nobody tells them: until their own tables forget, which is nothing that a configuration says.
    return isQuiet ? QUIET_REFRESH_MS : Number.POSITIVE_INFINITY;
  }
}
