/**
 * The hand-overs of a node: feeds the machines of handover.ts with what partners say and routers do, and carries their effects
 * out. Also what is done where the partner is no Tandem node: this node ranks lowest and waits for the other one to notice.
 */
import { equalBytes } from "../base/bytes.ts";
import { type IpAddress, printIp } from "../base/ip.ts";
import type { Log } from "../base/log.ts";
import type { Order } from "../wire/peer/message.ts";
import { PRIORITY_OWNER } from "../wire/vrrp/advert.ts";
import {
  accept,
  type HandoverEffect,
  type HandoverInput,
  type HandoverState,
  type HandoverStep,
  nextAlarmMs,
  offer,
  stepHandover,
} from "./handover.ts";
import type { KeptAddresses } from "./kept-addresses.ts";
import type { Partner } from "./peer-channel.ts";
import { PriorityCaps } from "./priority-caps.ts";
import type { Router } from "./router.ts";

/** The routers that go together: an instance alone, or those of its sync group. */
export type Unit = readonly Router[];

/** What has become of one unit of a hand-over. */
export interface HandoverResult {
  readonly instances: readonly string[];
  readonly isMoved: boolean;
  /** hitless: open connections go on; priority: they are lost, because the partner can't pass them on. */
  readonly how: "hitless" | "priority";
  /** Who has it now. */
  readonly to: string | undefined;
  /** Why not, or why not hitless. */
  readonly reason: string;
}

export interface HandoverHost {
  readonly log: Log;
  now(): number;
  randomId(): number;
  unitOf(router: Router): Unit;
  readonly routers: readonly Router[];
  partners(): readonly Partner[];
  order(partner: Partner, order: Order): void;
  /** What tracking makes of the router, whatever caps it. */
  assessedPriority(router: Router): number;
  /** The same, less what flap damping holds back: what it will rank at. */
  dampedPriority(router: Router): number;
  linkIndexOf(router: Router): number | undefined;
  /** Why these routers must not become active, whoever hands over to them; undefined: they may. */
  doubt(unit: Unit): string | undefined;
  /** Caps have changed. */
  reassess(): void;
  /** Something that hellos tell has changed. */
  changed(): void;
}

const NONE_RUNNING: readonly Running[] = [];

interface Running {
  readonly unit: Unit;
  readonly head: Router;
  readonly partner: Partner;
  state: HandoverState;
  readonly settle: (result: HandoverResult) => void;
}

/** A unit whose priority was lowered, so that a partner without a peer channel takes it. */
interface Lowered {
  readonly unit: Unit;
  readonly deadlineMs: number;
  /** What has been before. */
  readonly caps: readonly (number | undefined)[];
  readonly settle: (result: HandoverResult) => void;
}

/** A router without preempting partner is not left to nobody: it is the active one again behind this time. */
const LOWERED_INTERVALS = 5;
/** Connections are not counted further than this. */
export const MOST_CONNECTIONS = 4096;
/** A backup that outranks the active router asks again and again to be given the addresses, and then takes them. */
const PULL_MS = 100;
const PULLING_MS = 300;
/** An active router that has not been heard for longer can't be asked. */
const ALIVE_INTERVALS = 1.5;
/** A later wish is another one. */
const PULL_FORGET_MS = 5000;
/** Hand-overs at once, as one of the two sides. */
const MAX_RUNNING = 512;

const UNREACHABLE = "for not all of its addresses both nodes know each other on the link";
const NOT_TANDEM =
  "the partner speaks no peer channel (keepalived, or another peer_key), so it took over because this node ranks lowest; connections that were open here are lost, since it cannot pass their packets on";

export class Handovers {
  readonly #host: HandoverHost;
  readonly #kept: KeptAddresses;
  readonly #running = new Set<Running>();
  readonly #lowered = new Set<Lowered>();
  readonly #caps = new PriorityCaps();
  readonly #pulls = new Map<string, { readonly sinceMs: number; readonly askedMs: number }>();
  limitMs = 0;

  constructor(host: HandoverHost, kept: KeptAddresses) {
    this.#host = host;
    this.#kept = kept;
  }

  /** It wants no address. */
  get isDrained(): boolean {
    return this.#caps.isDrained;
  }

  /** No priority above this one. */
  capOf({ settings, state }: Router): number {
    return this.#caps.limitOf(settings.name, state.role === "active");
  }

  /** For status: what is going on. */
  get running(): readonly { readonly unit: Unit; readonly partner: Partner; readonly state: HandoverState }[] {
    return this.#running.size === 0 ? NONE_RUNNING : [...this.#running];
  }

  /** Addresses that another node has while connections to them go on here. */
  get drainingAddresses(): readonly string[] {
    const draining = [...this.#running].filter(({ state }) => state.phase === "draining");
    return draining.flatMap(({ unit }) =>
      unit.flatMap(({ addresses }) => addresses.map(({ address }) => printIp(address))),
    );
  }

  /** Connections that go on here for this router, which another node has; undefined: none are kept. */
  leftOf(router: Router): number | undefined {
    for (const { unit, state } of this.#running)
      if ((state.phase === "draining" || state.phase === "ordered") && unit.includes(router)) return state.left;
    return undefined;
  }

  get nextMs(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { state } of this.#running) next = Math.min(next, nextAlarmMs(state));
    for (const { deadlineMs } of this.#lowered) next = Math.min(next, deadlineMs);
    return next;
  }

  ring(atMs: number): void {
    for (const running of [...this.#running])
      if (nextAlarmMs(running.state) <= atMs) this.#feed(running, { kind: "alarm", atMs });
    for (const lowered of [...this.#lowered]) if (lowered.deadlineMs <= atMs) this.#giveUpLowered(lowered);
  }

  /** Gives a unit to the best partner that can keep its connections; `mayLower`: to any other router where there is none. */
  handOver(unit: Unit, limitMs: number, mayLower: boolean, settle: (result: HandoverResult) => void): void {
    const obstacle = this.#obstacleToGive(unit);
    const taker = this.#takerOf(unit);
    if (obstacle !== undefined) settle(resultOf(unit, "hitless", undefined, obstacle));
    else if (taker !== undefined) this.#offer(unit, taker.head, taker.partner, limitMs, settle);
    else if (mayLower) this.#lower(unit, settle);
    else settle(resultOf(unit, "hitless", undefined, "no partner on the peer channel is its backup"));
  }

  #obstacleToGive(unit: Unit): string | undefined {
    if (unit.length === 0 || !unit.every(({ state }) => state.role === "active")) return "it is not active here";
    if (unit.some(({ settings }) => settings.priority === PRIORITY_OWNER))
      return "it owns its addresses (priority 255), which VRRP gives to nobody";
    return this.#isMoving(unit) ? "a hand-over is under way already" : undefined;
  }

  /** True while the unit is between two owners. */
  #isMoving(unit: Unit): boolean {
    const isMoving = ({ phase }: HandoverState): boolean =>
      phase === "offered" || phase === "ordered" || phase === "ready";
    return (
      [...this.#running].some(
        (running) => isMoving(running.state) && running.unit.some((router) => unit.includes(router)),
      ) || [...this.#lowered].some((lowered) => lowered.unit.some((router) => unit.includes(router)))
    );
  }

  /** The backup of highest priority that speaks the peer channel on the link of one of the routers. */
  #takerOf(unit: Unit): { head: Router; partner: Partner } | undefined {
    let best: { head: Router; partner: Partner; priority: number } | undefined;
    for (const head of unit)
      for (const partner of this.#host.partners()) {
        const theirs = this.#theirs(partner, head);
        if (theirs?.role !== "backup" || partner.hello.isDrained) continue;
        if (best === undefined || theirs.priority > best.priority) best = { head, partner, priority: theirs.priority };
      }
    return best;
  }

  #theirs(partner: Partner, router: Router) {
    const { virtualRouterId, family } = router.settings;
    if (this.#host.linkIndexOf(router) !== partner.link.index) return undefined;
    return partner.hello.routers.find((theirs) => theirs.vrid === virtualRouterId && theirs.family === family);
  }

  #offer(unit: Unit, head: Router, partner: Partner, limitMs: number, settle: Running["settle"]): void {
    const { state, effects } = offer(this.#host.randomId(), limitMs, this.#host.now());
    this.#begin({ unit, head, partner, settle }, state, effects);
  }

  #begin(about: Omit<Running, "state">, state: HandoverState | undefined, effects: readonly HandoverEffect[]): void {
    if (state === undefined || this.#running.size >= MAX_RUNNING) return;
    const running: Running = { ...about, state };
    this.#running.add(running);
    this.#perform(running, effects);
  }

  #feed(running: Running, input: HandoverInput): void {
    if (!this.#running.has(running)) return;
    const wasDraining = running.state.phase === "draining";
    const { state, effects }: HandoverStep = stepHandover(running.state, input);
    if (state === undefined) this.#running.delete(running);
    else running.state = state;
    this.#perform(running, effects);
    if (wasDraining !== (state?.phase === "draining")) this.#host.changed();
  }

  #perform(running: Running, effects: readonly HandoverEffect[]): void {
    for (const effect of effects) this.#performOne(running, effect);
  }

  #performOne(running: Running, effect: HandoverEffect): void {
    const { unit, partner } = running;
    const atMs = this.#host.now();
    switch (effect.kind) {
      case "send":
        this.#host.order(partner, orderOf(running, effect));
        break;
      case "keep":
        this.#keep(unit);
        break;
      case "letGo":
        for (const { settings } of unit) this.#kept.letGo(settings.name);
        break;
      case "standBack":
        this.#standBack(running);
        break;
      case "standUp":
        for (const { settings } of unit) {
          this.#caps.lift(settings.name);
        }
        this.#host.reassess();
        break;
      case "take":
        for (const router of unit) {
          const source =
            partner.hello.addresses.find(({ length }) => length === router.source?.length) ?? partner.address;
          router.feed({ kind: "take", atMs, source, reason: `handed over by ${nameOf(partner)}` });
        }
        break;
      case "yield":
        for (const router of unit) {
          const priority = this.#priorityOf(running, router);
          const reason = `handed over to ${nameOf(partner)}`;
          router.feed({ kind: "yield", atMs, source: partner.address, priority, reason });
        }
        break;
      case "endDetour":
        this.#kept.lift(detourKey(running.state));
        break;
      case "count":
        this.#count(running);
        break;
      case "settle":
        this.#settle(running, effect.isMoved, effect.reason);
        break;
      case "log":
        this.#log(unit, effect.text);
    }
  }

  #keep(unit: Unit): void {
    for (const router of unit) {
      const failure = this.#kept.keep(router.settings.name, router.addresses, router.source);
      if (failure !== undefined) this.#log(unit, `open connections are lost: ${failure}`);
    }
  }

  #standBack(running: Running): void {
    for (const router of running.unit) this.#caps.set(router.settings.name, this.#priorityOf(running, router) - 1);
    this.#host.reassess();
  }

  /** The taker's, as it has said itself. */
  #priorityOf({ head, partner, state }: Running, router: Router): number {
    return router === head ? state.priority : (this.#theirs(partner, router)?.priority ?? state.priority);
  }

  #count(running: Running): void {
    const names = running.unit.map(({ settings }) => settings.name);
    const count = this.#kept.connections(names, MOST_CONNECTIONS);
    this.#feed(running, { kind: "connections", atMs: this.#host.now(), count });
  }

  #settle({ unit, partner, state, settle }: Running, isMoved: boolean, reason: string): void {
    const to = nameOf(partner);
    if (isMoved) {
      const rest = state.limitMs > 0 ? `, open connections go on here for at most ${state.limitMs / 1000} s` : "";
      this.#log(unit, `handed over to ${to}${rest}`);
    } else this.#log(unit, `not handed over to ${to}: ${reason}`);
    settle({ instances: namesOf(unit), isMoved, how: "hitless", to: isMoved ? to : undefined, reason });
  }

  /** A partner has said what it is doing. */
  hello(partner: Partner): void {
    for (const running of [...this.#running]) {
      const { head, state } = running;
      if (state.phase !== "detouring" || !equalBytes(running.partner.session, partner.session)) continue;
      if (this.#theirs(partner, head)?.keeps === false)
        this.#feed(running, { kind: "notKept", atMs: this.#host.now() });
    }
  }

  /** An order of a partner. */
  order(partner: Partner, order: Order): void {
    const atMs = this.#host.now();
    const found = [...this.#running].find(
      (running) =>
        running.state.id === order.id &&
        equalBytes(running.partner.session, partner.session) &&
        order.step !== "request",
    );
    if (found !== undefined) {
      const { step, value, reason } = order;
      const obstacle = step === "take" && found.state.phase === "ready" ? this.#weakness(found.unit) : undefined;
      if (obstacle === undefined) this.#feed(found, { kind: "order", atMs, step, value, reason });
      else this.#feed(found, { kind: "unfit", atMs, reason: obstacle });
      return;
    }
    const head = this.#host.routers.find(
      (router) =>
        router.settings.virtualRouterId === order.vrid &&
        router.settings.family === order.family &&
        this.#host.linkIndexOf(router) === partner.link.index,
    );
    if (order.step === "offer") this.#offered(partner, order, head);
    else if (order.step === "request" && head !== undefined) this.#requested(partner, order, head);
    // Whoever repeats itself has not heard that all is over.
    else if (order.step === "done") this.#host.order(partner, { ...order, step: "closed" });
  }

  #offered(partner: Partner, order: Order, head: Router | undefined): void {
    const unit = head === undefined ? [] : this.#host.unitOf(head);
    const addresses = unit.flatMap((router) => router.addressesOnBases);
    const detours = this.#kept.detoursTo(addresses, (link, sizeBytes) => this.#addressOf(partner, link, sizeBytes));
    const key = detourKey({ id: order.id });
    const obstacle = this.#obstacleToTake(unit) ?? (detours === undefined ? UNREACHABLE : this.#kept.lay(key, detours));
    if (head === undefined || obstacle !== undefined) {
      this.#host.order(partner, { ...order, step: "refuse", value: 0, reason: obstacle ?? "" });
      return;
    }
    const priority = this.#host.dampedPriority(head);
    const { state, effects } = accept(order, priority, this.#kept.warning(addresses), this.#host.now());
    this.#begin({ unit, head, partner, settle: () => {} }, state, effects);
  }

  #obstacleToTake(unit: Unit): string | undefined {
    if (unit.length === 0) return "the partner has no such router on this link";
    const idle = unit.find(({ state }) => state.role !== "backup");
    if (idle !== undefined) return `the partner's ${idle.settings.name} is ${idle.state.role}: ${idle.state.reason}`;
    const doubt = this.#host.doubt(unit);
    if (doubt !== undefined) return `to the partner ${doubt}`;
    if (this.#isMoving(unit)) return "the partner is in the middle of another hand-over";
    return this.#weakness(unit);
  }

  /** Why these routers are not to be given anything, although they could take it; asked again before they do. */
  #weakness(unit: Unit): string | undefined {
    if (this.isDrained) return "the partner is drained";
    const sick = unit.find((router) => this.#isSick(router));
    if (sick === undefined) return undefined;
    const { name, priority } = sick.settings;
    return `the partner's ${name} is not well: its checks leave it priority ${this.#host.assessedPriority(sick)} of ${priority}`;
  }

  /** Its checks have lowered it, and the active router is better off. */
  #isSick(router: Router): boolean {
    const priority = this.#host.assessedPriority(router);
    return priority < router.settings.priority && priority <= (router.state.activeRouter?.priority ?? 0);
  }

  #addressOf(partner: Partner, linkIndex: number, sizeBytes: number): IpAddress | undefined {
    for (const { link, hello, session } of this.#host.partners())
      if (link.index === linkIndex && equalBytes(session, partner.session)) {
        const found = hello.addresses.find(({ length }) => length === sizeBytes);
        if (found !== undefined) return found;
      }
    return undefined;
  }

  /** A backup that outranks us would take the addresses otherwise. */
  #requested(partner: Partner, order: Order, head: Router): void {
    const unit = this.#host.unitOf(head);
    if (order.value <= head.state.priority || this.#isMoving(unit)) return;
    if (!unit.every(({ state }) => state.role === "active")) return;
    this.#log(unit, `${nameOf(partner)} asks for it: ${order.reason}`);
    this.#offer(unit, head, partner, this.limitMs, () => {});
  }

  /**
   * A backup is about to take over from a living active router that it outranks. When that one is a Tandem node, it is asked to hand
   * over; the answer is when to look again, or undefined when there is nothing to wait for.
   */
  pull(unit: Unit, atMs: number): number | undefined {
    const asked = unit.flatMap((router) => {
      const partner = this.#activePartner(router, atMs);
      return partner === undefined ? [] : [{ router, partner }];
    });
    const [first] = asked;
    if (first === undefined || asked.length < unit.length) return undefined;
    const { settings, state } = first.router;
    // Looked at again before the active one could be missed.
    const againMs = atMs + Math.min(PULL_MS, ALIVE_INTERVALS * state.intervalMs);
    if (this.#isMoving(unit)) return againMs;
    const known = this.#pulls.get(settings.name);
    const pull = known === undefined || atMs - known.sinceMs > PULL_FORGET_MS ? { sinceMs: atMs, askedMs: 0 } : known;
    if (atMs - pull.sinceMs >= PULLING_MS) return undefined;
    const isDue = atMs - pull.askedMs >= PULL_MS;
    this.#pulls.set(settings.name, isDue ? { ...pull, askedMs: atMs } : pull);
    if (isDue) this.#request(first.router, first.partner);
    return againMs;
  }

  #request(router: Router, partner: Partner): void {
    const { virtualRouterId: vrid, family } = router.settings;
    const value = this.#host.dampedPriority(router);
    const reason = `it has priority ${value}`;
    this.#host.order(partner, { kind: "order", step: "request", id: 0, vrid, family, value, reason });
  }

  /** The Tandem node whose adverts this backup hears, if it is alive and ranks below. */
  #activePartner(router: Router, atMs: number): Partner | undefined {
    const { activeRouter: active, intervalMs, priority } = router.state;
    if (active === undefined || active.priority === 0 || active.priority >= priority) return undefined;
    if (atMs - router.advertMs > ALIVE_INTERVALS * intervalMs) return undefined;
    const linkIndex = this.#host.linkIndexOf(router);
    return this.#host
      .partners()
      .find(
        (partner) =>
          partner.link.index === linkIndex &&
          partner.hello.addresses.some((address) => equalBytes(address, active.source)) &&
          this.#theirs(partner, router) !== undefined,
      );
  }

  /** The partner does not speak our channel: rank lowest and go on serving until it has noticed. Nothing is lost if it does not. */
  #lower(unit: Unit, settle: Lowered["settle"]): void {
    const longest = Math.max(...unit.map(({ state }) => state.intervalMs));
    const caps = unit.map(({ settings }) => this.#caps.get(settings.name));
    const lowered = { unit, deadlineMs: this.#host.now() + LOWERED_INTERVALS * longest, caps, settle };
    this.#lowered.add(lowered);
    this.#log(unit, "no partner on the peer channel: taking the lowest priority, so that another router takes over");
    for (const { settings } of unit) this.#caps.set(settings.name, 1);
    this.#host.reassess();
  }

  #giveUpLowered(lowered: Lowered): void {
    this.#lowered.delete(lowered);
    for (const [i, { settings }] of lowered.unit.entries()) this.#caps.set(settings.name, lowered.caps[i]);
    this.#host.reassess();
    const reason = "nobody has taken over from the lowest priority: no partner is there, or it has nopreempt";
    this.#log(lowered.unit, reason);
    lowered.settle(resultOf(lowered.unit, "priority", undefined, reason));
  }

  #loweredLeft(lowered: Lowered): void {
    if (lowered.unit.some(({ state }) => state.role === "active")) return;
    this.#lowered.delete(lowered);
    for (const { settings, state } of lowered.unit)
      this.#caps.set(settings.name, (state.activeRouter?.priority ?? 1) - 1);
    this.#host.reassess();
    const active = lowered.unit[0]?.state.activeRouter;
    lowered.settle({
      ...resultOf(lowered.unit, "priority", active && printIp(active.source), NOT_TANDEM),
      isMoved: true,
    });
  }

  /** The addresses of a router leave their links in this moment. */
  releasing(router: Router): void {
    this.#kept.silence(router.settings.name);
  }

  /** A router has another role than before. */
  roleChanged(router: Router): void {
    const atMs = this.#host.now();
    for (const running of [...this.#running]) {
      const { unit, state } = running;
      if (!unit.includes(router)) continue;
      if (unit.every((member) => member.state.role === "active")) this.#feed(running, { kind: "active", atMs });
      else if (unit.every((member) => member.state.role !== "active") && state.phase !== "draining")
        this.#feed(running, { kind: "left", atMs, toAnother: this.#goesToAnother(running) });
    }
    for (const lowered of [...this.#lowered]) if (lowered.unit.includes(router)) this.#loweredLeft(lowered);
    this.#host.changed();
  }

  /** The unit is being given to another node than the one that this detour leads to. */
  #goesToAnother({ unit, partner }: Running): boolean {
    return [...this.#running].some(
      ({ unit: given, partner: other, state }) =>
        state.side === "giver" &&
        given.some((router) => unit.includes(router)) &&
        !equalBytes(other.session, partner.session),
    );
  }

  partnerLost(session: Uint8Array): void {
    for (const running of [...this.#running])
      if (equalBytes(running.partner.session, session)) this.#feed(running, { kind: "lost", atMs: this.#host.now() });
  }

  /** Another configuration: what goes on for routers that are gone ends. */
  forget(router: Router): void {
    for (const running of [...this.#running])
      if (running.unit.includes(router)) this.#feed(running, { kind: "stop", atMs: this.#host.now() });
    for (const running of [...this.#running]) if (running.unit.includes(router)) this.#running.delete(running);
    this.#caps.lift(router.settings.name);
    this.#pulls.delete(router.settings.name);
    this.#kept.letGo(router.settings.name);
  }

  /** An order; see `PriorityCaps`. */
  drain(isDrained: boolean): void {
    this.#caps.drain(isDrained);
    this.#host.reassess();
    this.#host.changed();
  }

  /** Nobody looks after this node from now on; see `PriorityCaps`. What is returned is called when its addresses have been given away. */
  leaveUnattended(): (results: readonly HandoverResult[]) => void {
    const givenAway = this.#caps.leaveUnattended();
    return (results) => {
      givenAway(results.flatMap(({ instances }) => instances));
      this.#host.reassess();
      this.#host.changed();
    };
  }

  /** Somebody looks after it again. */
  attend(): void {
    if (!this.#caps.attend()) return;
    this.#host.reassess();
    this.#host.changed();
  }

  /** This node ends: nothing is kept and no detour stays. */
  stop(): void {
    for (const running of [...this.#running]) this.#feed(running, { kind: "stop", atMs: this.#host.now() });
    this.#running.clear();
  }

  #log(unit: Unit, text: string): void {
    this.#host.log.write("notice", `(${namesOf(unit).join(", ")}) ${text}`);
  }
}

function namesOf(unit: Unit): readonly string[] {
  return unit.map(({ settings }) => settings.name);
}

function nameOf({ hello, address }: Partner): string {
  return `${hello.name} (${printIp(address)})`;
}

function resultOf(unit: Unit, how: HandoverResult["how"], to: string | undefined, reason: string): HandoverResult {
  return { instances: namesOf(unit), isMoved: false, how, to, reason };
}

/** Ids are chosen by givers, so one node may meet the same as giver and as taker: only takers lay detours. */
function detourKey({ id }: Pick<HandoverState, "id">): string {
  return `hand-over ${id}`;
}

function orderOf({ head, state }: Running, { step, value, reason }: Extract<HandoverEffect, { kind: "send" }>): Order {
  const { virtualRouterId: vrid, family } = head.settings;
  return { kind: "order", step, id: state.id, vrid, family, value, reason };
}
