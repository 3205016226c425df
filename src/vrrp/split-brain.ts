/**
 * `split_brain_policy safe` at work: asks the gateway, hears the witness and the partners, looks for other owners of the addresses, before
 * and behind a take-over. What all that means is decided in split-guard.ts.
 */
import { equalBytes } from "../base/bytes.ts";
import { printIp } from "../base/ip.ts";
import type { Link } from "../io/routing.ts";
import type { FrameSocket } from "../io/segment.ts";
import { printMac } from "../wire/ethernet.ts";
import { type Claim, decodeClaim, encodeQuestion } from "../wire/neighbour-question.ts";
import { type LinkView, linkNamed } from "./links.ts";
import type { Partner } from "./peer-channel.ts";
import type { NodePorts } from "./ports.ts";
import type { Router } from "./router.ts";
import {
  addressAnswered,
  type GuardRules,
  type GuardState,
  mayTake,
  NEW_GUARD,
  PROBE_MS,
  rightUntilMs,
  type TakeFacts,
  whyDoubt,
  whyNot,
} from "./split-guard.ts";
import type { Role } from "./state.ts";
import { downIntervalMs } from "./timing.ts";

/** The gateway is asked so often within the time for which its answer counts. */
const QUESTIONS = 3;
/** Behind a take-over other owners are looked for so often, the first time when the old one must have heard of it. */
const PROBES_BEHIND = 3;
const FIRST_BEHIND_MS = 500;
/** As many as the peer channel knows on a link. */
const MAX_PARTNERS = 8;
/** Whoever hands over gives its lease back: until then ours has to be there. */
const GRACE_MS = 1000;
/** Adverts of an active router that may be missing while it is still there. */
const ALIVE_INTERVALS = 3;

export interface SplitBrainHost {
  readonly view: LinkView;
  readonly routers: readonly Router[];
  readonly partners: readonly Partner[];
  /** A router's faults may be others. */
  reassess(): void;
}

interface Guarded {
  readonly router: Router;
  rules: GuardRules;
  state: GuardState;
  /** Since when the router listens. */
  listensMs: number;
  /** Addresses of all nodes that were ever heard on the peer channel, and when each is known to have heard this one. */
  readonly proven: Map<string, number>;
  /** The oldest question to the gateway that has no answer. */
  askedMs: number | undefined;
  askMs: number;
  /** Probes that are still to come behind a take-over. */
  behind: number;
  behindMs: number;
  probedBehindMs: number;
  wants: boolean;
  /** What it has said last about waiting. */
  said: string;
  fault: string | undefined;
  /** When to look whether that is over. */
  lookMs: number;
}

interface Ear {
  readonly socket: FrameSocket;
  readonly watch: { close(): void };
}

export class SplitBrain {
  readonly #ports: NodePorts;
  readonly #host: SplitBrainHost;
  readonly #guarded = new Map<string, Guarded>();
  /** By the index of a link. */
  readonly #ears = new Map<number, Ear>();

  constructor(ports: NodePorts, host: SplitBrainHost) {
    this.#ports = ports;
    this.#host = host;
  }

  /** Behind every change of configuration or links. */
  configure(): void {
    const nowMs = this.#ports.clock.now();
    const names = new Set<string>();
    for (const router of this.#host.routers) {
      const { name, splitBrain } = router.settings;
      if (splitBrain === undefined) continue;
      names.add(name);
      const { validMs, gateway, witness } = splitBrain;
      const rules: GuardRules = {
        validMs,
        hasGateway: gateway !== undefined,
        witness: witness === undefined ? "none" : witness.kind === "etcd" ? "exclusive" : "reachable",
      };
      const known = this.#guarded.get(name);
      if (known?.router === router) {
        known.rules = rules;
        continue;
      }
      this.#guarded.set(name, {
        router,
        rules,
        state: NEW_GUARD,
        listensMs: nowMs,
        proven: new Map(),
        askedMs: undefined,
        askMs: nowMs,
        behind: 0,
        behindMs: 0,
        probedBehindMs: Number.NEGATIVE_INFINITY,
        wants: false,
        said: "",
        fault: undefined,
        lookMs: nowMs,
      });
    }
    for (const [name, guarded] of this.#guarded) {
      if (names.has(name)) continue;
      this.#want(guarded, false);
      this.#guarded.delete(name);
    }
    this.#listen();
  }

  /** Opens and closes ears as links come and go. */
  #listen(): void {
    const wanted = new Map<number, Link>();
    for (const { router } of this.#guarded.values())
      for (const name of [router.settings.interface, ...router.addressesOnBases.map((address) => address.interface)]) {
        const link = linkNamed(this.#host.view, name);
        if (link !== undefined && link.mac.length === 6) wanted.set(link.index, link);
      }
    for (const [index, ear] of this.#ears) {
      if (wanted.has(index)) continue;
      ear.watch.close();
      ear.socket.close();
      this.#ears.delete(index);
    }
    for (const { index, name } of wanted.values()) {
      if (this.#ears.has(index)) continue;
      try {
        const watch = this.#ports.neighbours.watch(index, (frame) => this.#heard(index, frame));
        this.#ears.set(index, { watch, socket: this.#ports.segments.openFrames(index) });
      } catch (error) {
        this.#ports.log.write("error", `split brain: cannot hear ${name}: ${(error as Error).message}`);
      }
    }
  }

  close(): void {
    for (const guarded of this.#guarded.values()) this.#want(guarded, false);
    for (const { watch, socket } of this.#ears.values()) {
      watch.close();
      socket.close();
    }
    this.#ears.clear();
    this.#guarded.clear();
  }

  get nextMs(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const guarded of this.#guarded.values()) {
      const { router, rules, state, askMs, behind, behindMs, fault, lookMs } = guarded;
      if (rules.hasGateway) next = Math.min(next, askMs);
      if (behind > 0) next = Math.min(next, behindMs);
      if (router.state.role === "active") next = Math.min(next, rightUntilMs(rules, state));
      if (fault !== undefined) next = Math.min(next, lookMs);
    }
    return next;
  }

  /** To be called before the routers act: whoever has lost the right to be active does nothing more in that role. */
  ring(nowMs: number): void {
    for (const guarded of this.#guarded.values()) {
      const { router, rules } = guarded;
      if (rules.hasGateway && guarded.askMs <= nowMs) this.#askGateway(guarded, nowMs);
      if (guarded.behind > 0 && guarded.behindMs <= nowMs) {
        guarded.behind--;
        guarded.behindMs = nowMs + rules.validMs / PROBES_BEHIND;
        if (router.state.role === "active") {
          guarded.probedBehindMs = nowMs;
          this.#probe(guarded);
        } else guarded.behind = 0;
      }
    }
    this.#judge(nowMs);
  }

  /** Whether the routers' faults are others now. */
  #judge(nowMs: number): void {
    let hasChanged = false;
    for (const guarded of this.#guarded.values()) {
      this.#hearPartners(guarded);
      guarded.lookMs = nowMs + guarded.rules.validMs / QUESTIONS;
      const { role } = guarded.router.state;
      // Who is not active waits as a backup: it is not ill, it is not sure.
      const isConcerned = role === "active" || guarded.fault !== undefined;
      const fault = isConcerned ? whyNot(guarded.rules, guarded.state, nowMs) : undefined;
      // A lease can be had by a backup only: its fault is over when the router has let go.
      const lasting = guarded.rules.witness === "exclusive" && role !== "active" ? undefined : fault;
      if (lasting === guarded.fault) continue;
      guarded.fault = lasting;
      hasChanged = true;
    }
    if (hasChanged) this.#host.reassess();
  }

  /** What keeps a router from being active. */
  faultsOf({ settings: { name } }: Router): readonly string[] {
    const fault = this.#guarded.get(name)?.fault;
    return fault === undefined ? [] : [fault];
  }

  /**
   * Partners are a sign only while every node is heard that ever was: two of three that hear each other know nothing of what the third
   * one may do.
   */
  #hearPartners(guarded: Guarded): void {
    const { router, rules, proven, state } = guarded;
    for (const { address, provenMs } of this.#partnersOf(router)) {
      const name = printIp(address);
      if (proven.size < MAX_PARTNERS || proven.has(name))
        proven.set(name, Math.max(provenMs, proven.get(name) ?? Number.NEGATIVE_INFINITY));
    }
    const partnerMs = proven.size === 0 ? Number.NEGATIVE_INFINITY : Math.min(...proven.values()) + rules.validMs;
    if (partnerMs !== state.partnerMs) guarded.state = { ...state, partnerMs };
  }

  #partnersOf({ settings: { interface: name, virtualRouterId, family } }: Router): readonly Partner[] {
    return this.#host.partners.filter(
      ({ link, hello }) =>
        link.name === name && hello.routers.some((other) => other.vrid === virtualRouterId && other.family === family),
    );
  }

  /** A backup's timer has run out: when to look again; undefined: it may take over now. */
  mayWait(unit: readonly Router[], nowMs: number): number | undefined {
    let untilMs: number | undefined;
    for (const router of unit) {
      const guarded = this.#guarded.get(router.settings.name);
      const wait = guarded === undefined ? undefined : this.#wait(guarded, nowMs);
      if (wait !== undefined) untilMs = Math.max(untilMs ?? wait, wait);
    }
    return untilMs;
  }

  /** Why these routers must not become active, whoever hands over to them. */
  doubt(unit: readonly Router[], nowMs: number): string | undefined {
    for (const { settings } of unit) {
      const guarded = this.#guarded.get(settings.name);
      const why = guarded === undefined ? undefined : whyDoubt(guarded.rules, guarded.state, nowMs);
      if (why !== undefined) return why;
    }
    return undefined;
  }

  #wait(guarded: Guarded, nowMs: number): number | undefined {
    this.#hearPartners(guarded);
    const facts = this.#facts(guarded, nowMs);
    const verdict = mayTake(guarded.rules, guarded.state, facts);
    if (verdict.kind === "take") {
      guarded.said = "";
      return undefined;
    }
    // The lease is asked for when nothing but its own absence is in the way.
    if (nowMs >= facts.heardMs + facts.downMs + guarded.rules.validMs || facts.hasLeft) this.#want(guarded, true);
    if (verdict.kind === "probe") {
      this.#probe(guarded);
      guarded.state = { ...guarded.state, probedMs: nowMs };
    } else if (verdict.why !== guarded.said) {
      guarded.said = verdict.why;
      this.#log(guarded, `does not take over yet: ${verdict.why}`);
    }
    return verdict.untilMs;
  }

  #facts({ router, rules, listensMs }: Guarded, nowMs: number): TakeFacts {
    const { settings, state, advertMs } = router;
    const active = state.activeRouter;
    const partners = this.#partnersOf(router).filter(({ hello }) =>
      hello.routers.some(
        ({ vrid, family, role }) =>
          role === "active" && vrid === settings.virtualRouterId && family === settings.family,
      ),
    );
    return {
      nowMs,
      heardMs: Math.max(router.heardMs, listensMs),
      downMs: downIntervalMs(settings, state.priority, state.intervalMs),
      hasLeft: active?.priority === 0,
      isPreempting:
        active !== undefined && active.priority > 0 && nowMs - advertMs <= ALIVE_INTERVALS * state.intervalMs,
      activePartnerMs: Math.max(Number.NEGATIVE_INFINITY, ...partners.map(({ heardMs }) => heardMs + rules.validMs)),
    };
  }

  roleChanged(router: Router, from: Role, to: Role): void {
    const guarded = this.#guarded.get(router.settings.name);
    if (guarded === undefined) return;
    const nowMs = this.#ports.clock.now();
    if (to === "backup" && from !== "active") guarded.listensMs = nowMs;
    guarded.behind = 0;
    // Whoever answered for the addresses was the one that has handed over.
    guarded.state = {
      ...guarded.state,
      probedMs: undefined,
      conflict: to === "active" ? undefined : guarded.state.conflict,
    };
    if (to === "active") {
      const { handedBy } = router.state;
      if (handedBy !== undefined && guarded.rules.witness === "exclusive")
        guarded.state = { ...guarded.state, graceMs: nowMs + GRACE_MS };
      guarded.behind = PROBES_BEHIND;
      guarded.behindMs = nowMs + FIRST_BEHIND_MS;
    } else guarded.state = { ...guarded.state, graceMs: Number.NEGATIVE_INFINITY };
    this.#want(guarded, to === "active");
  }

  #want(guarded: Guarded, isWanted: boolean): void {
    if (guarded.rules.witness !== "exclusive" || guarded.wants === isWanted) return;
    guarded.wants = isWanted;
    // What was held is given back, and is ours no longer from now on.
    if (!isWanted) guarded.state = { ...guarded.state, witnessMs: Number.NEGATIVE_INFINITY };
    this.#ports.want(guarded.router.settings.name, isWanted);
  }

  /** The witness has answered: until when that counts, monotonic; a moment that has passed: it has not. */
  witness(instance: string, untilMs: number): void {
    const guarded = this.#guarded.get(instance);
    if (guarded === undefined || (guarded.rules.witness === "exclusive" && !guarded.wants)) return;
    if (untilMs > guarded.state.witnessMs) guarded.state = { ...guarded.state, witnessMs: untilMs };
    this.#judge(this.#ports.clock.now());
  }

  #askGateway(guarded: Guarded, nowMs: number): void {
    guarded.askMs = nowMs + guarded.rules.validMs / QUESTIONS;
    const { settings, source } = guarded.router;
    const gateway = settings.splitBrain?.gateway;
    const link = linkNamed(this.#host.view, settings.interface);
    if (gateway === undefined || link === undefined || source?.length !== gateway.length) return;
    guarded.askedMs ??= nowMs;
    this.#ears.get(link.index)?.socket.send(encodeQuestion(link.mac, source, gateway));
  }

  #probe({ router }: Guarded): void {
    // From the interface underneath a virtual one: a question from the virtual MAC address would move it to this node.
    for (const { address, interface: name } of router.addressesOnBases) {
      const link = linkNamed(this.#host.view, name);
      if (link !== undefined) this.#ears.get(link.index)?.socket.send(encodeQuestion(link.mac, undefined, address));
    }
  }

  #heard(linkIndex: number, frame: Uint8Array): void {
    const claim = decodeClaim(frame);
    if (claim === undefined) return;
    let isOwn = false;
    for (const { mac } of this.#host.view.links) isOwn ||= equalBytes(mac, claim.mac);
    const nowMs = this.#ports.clock.now();
    for (const guarded of this.#guarded.values()) {
      const { router, rules } = guarded;
      const { gateway } = router.settings.splitBrain ?? {};
      const isOwnLink = linkNamed(this.#host.view, router.settings.interface)?.index === linkIndex;
      if (gateway !== undefined && isOwnLink && equalBytes(gateway, claim.ip) && guarded.askedMs !== undefined) {
        const gatewayMs = Math.max(guarded.state.gatewayMs, guarded.askedMs + rules.validMs);
        guarded.state = { ...guarded.state, gatewayMs };
        guarded.askedMs = undefined;
      }
      const own = router.addressesOnBases.find(({ address }) => equalBytes(address, claim.ip));
      if (own === undefined || linkNamed(this.#host.view, own.interface)?.index !== linkIndex) continue;
      this.#foundOwner(guarded, claim, isOwn, nowMs);
    }
    this.#judge(nowMs);
  }

  /** Only who has just asked takes it to heart: the one that was there first goes on, and so does one that hands over. */
  #foundOwner(guarded: Guarded, { ip, mac, mayAnswer }: Claim, isOwn: boolean, nowMs: number): void {
    const { role } = guarded.router.state;
    const isAsking = role === "backup" && guarded.state.probedMs !== undefined;
    // Another node with the same virtual MAC address is told from ourselves only while we have the address not.
    const isNew = role === "active" && mayAnswer && !isOwn && nowMs <= guarded.probedBehindMs + PROBE_MS;
    if (!isAsking && !isNew) return;
    const text = `${printMac(mac)} answers for ${printIp(ip)}`;
    guarded.state = addressAnswered(guarded.rules, guarded.state, nowMs, text);
    if (isNew) this.#log(guarded, text); // a backup says so when it waits because of it
  }

  #log({ router }: Guarded, text: string): void {
    this.#ports.log.write("notice", `(${router.settings.name}) split brain: ${text}`);
  }
}
