/** What a scenario is, and the stage on which it runs: a pair, the harm done to it so far, and what is to be measured. */

import type { SwitchCapture } from "./capture-file.ts";
import { setKeyword } from "./edit.ts";
import type { Flavour } from "./flavours.ts";
import { bothHeldMs, type ClientView, joinViews } from "./observation.ts";
import type { Pair } from "./pair.ts";
import { NODES, type NodeName } from "./plan.ts";
import { nowMs, sleepMs } from "./time.ts";
import { activeDownMs, skewMs } from "./timers.ts";
import type { Variant } from "./variants.ts";

/** What the client's sampling, the scheduler and the switch may add to what the timers allow, on a machine without noise. */
export const SLACK_MS = 50;
/** What a hand-over takes that waits for no timer: the address is claimed, announced, and clients turn to its new owner. */
export const ANNOUNCE_MS = 100;
/** How long the client's view goes on after the last event that a scenario waits for. */
const AFTERMATH_MS = 250;

/** What `reloadLower` leaves of a priority. */
const LOWEST_PRIORITY = 1;

export interface Scenario {
  /** `graceful-stop`: for --scenario and for the reference figures. */
  readonly name: string;
  readonly title: string;
  readonly variant: Variant;
  /** It begins with a new network on which nothing has run yet. */
  readonly startsCold?: boolean;
  /** It keeps a processor busy, or measures what a busy one spoils: in a series nothing else is rehearsed beside it. */
  readonly isAlone?: boolean;
  /** Why nodes of these flavours can't be rehearsed in it; undefined when they can. */
  unsuited?(flavours: Readonly<Record<NodeName, Flavour>>): string | undefined;
  run(stage: Stage): Promise<Measurement>;
}

export interface Expectation {
  readonly what: string;
  readonly holds: boolean;
  /** It is about how long something took, which a busy machine can spoil. */
  readonly isDelay?: boolean;
}

export interface Measurement {
  readonly before: NodeName | undefined;
  readonly after: NodeName | undefined;
  readonly gapMs: number;
  /** The gap had not ended when the scenario did. */
  readonly open: boolean;
  readonly failed: number;
  readonly attempts: number;
  readonly failures: Readonly<Record<string, number>>;
  /** What VRRP's timers allow, and of what that is made; undefined where no timer is involved. */
  readonly allowedMs: number | undefined;
  readonly allowedBy: string;
  readonly bothHeldMs: number;
  readonly expectations: readonly Expectation[];
  /** What else was measured, in words. */
  readonly note?: string;
  /** Only its delay was wrong, and it was run again. */
  readonly repeated?: boolean;
}

/** What is known when a scenario has begun to measure. */
export interface Mark {
  readonly before: NodeName | undefined;
  readonly atMs: number;
}

export class Stage {
  readonly pair: Pair;
  /** Prints a live line. */
  readonly step: (text: string) => void;
  readonly #stopped = new Set<NodeName>();
  readonly #linkDown = new Set<NodeName>();
  readonly #unplugged = new Set<NodeName>();
  #parted: NodeName | undefined;
  /** The far client asks, too. */
  #hasFarClient = false;
  readonly #frozen = new Set<NodeName>();
  readonly #suppressed = new Set<NodeName>();
  readonly #cutOff = new Set<NodeName>();
  readonly #lowered = new Set<NodeName>();

  readonly #noiseMs: number;
  readonly #capture: SwitchCapture;

  /** `noiseMs` is the longest gap that this machine has shown without any fault. */
  constructor(pair: Pair, capture: SwitchCapture, noiseMs: number, step: (text: string) => void) {
    this.pair = pair;
    this.#capture = capture;
    this.#noiseMs = noiseMs;
    this.step = step;
  }

  /** The node that is active when both are well. */
  get active(): NodeName {
    return this.pair.plan.preferred;
  }

  get standby(): NodeName {
    return this.pair.other(this.active);
  }

  /** True when the node's programs are Tandem's, which promises more than VRRP's timers do. */
  isTandem(node: NodeName): boolean {
    return this.pair.flavour(node).name === "tandem";
  }

  /** How long a node waits after a goodbye. */
  skewMs(node: NodeName): number {
    return skewMs(this.pair.plan.nodes[node].instance);
  }

  /** The same, with the lowest priority there is. */
  lowestSkewMs(node: NodeName): number {
    return skewMs({ ...this.pair.plan.nodes[node].instance, priority: LOWEST_PRIORITY });
  }

  /** How long a node waits in silence. */
  activeDownMs(node: NodeName): number {
    return activeDownMs(this.pair.plan.nodes[node].instance);
  }

  async stop(node: NodeName): Promise<void> {
    this.#stopped.add(node);
    await this.pair.stop(node);
  }

  async start(node: NodeName): Promise<void> {
    await this.pair.start(node);
    this.#stopped.delete(node);
  }

  async setLinkUp(node: NodeName, up: boolean): Promise<void> {
    if (up) this.#linkDown.delete(node);
    else this.#linkDown.add(node);
    await this.pair.setLinkUp(node, up);
  }

  /** For `trackUpstream`: the back ends answer on the node's loopback. */
  async loseBackEnds(node: NodeName, lost: boolean): Promise<void> {
    if (lost) this.#cutOff.add(node);
    else this.#cutOff.delete(node);
    await this.pair.setLoopbackUp(node, !lost);
  }

  unplug(node: NodeName): void {
    this.#unplugged.add(node);
    this.pair.unplug(node);
  }

  replug(node: NodeName): void {
    this.#unplugged.delete(node);
    this.pair.replug(node);
  }

  /** A second client asks, which `part` takes to the far side; it is answered by the active node when this resolves. */
  async askFromBothSides(): Promise<void> {
    this.#hasFarClient = true;
    await this.pair.probeFar(true);
    if (!(await this.pair.until(() => this.pair.isFarCalm(this.active), PATIENCE_MS)))
      throw new Error(`the second client is not answered by ${this.active}`);
  }

  /** The switch falls into two: `node` is on the far one with the second client. */
  part(node: NodeName): void {
    this.#parted = node;
    this.pair.part(node);
  }

  /** The two see each other again. */
  join(): void {
    this.pair.join();
  }

  isStopped(node: NodeName): boolean {
    return this.#stopped.has(node);
  }

  async freeze(node: NodeName, frozen: boolean): Promise<void> {
    if (frozen) this.#frozen.add(node);
    else this.#frozen.delete(node);
    await this.pair.signalPart(node, "all", frozen ? "SIGSTOP" : "SIGCONT");
  }

  isFrozen(node: NodeName): boolean {
    return this.#frozen.has(node);
  }

  async suppressHttp(node: NodeName, suppressed: boolean): Promise<void> {
    if (suppressed) this.#suppressed.add(node);
    else this.#suppressed.delete(node);
    await this.pair.suppress(node, suppressed ? "http-with-spares" : undefined);
  }

  /** A reload of the node's files with the lowest priority there is, or with what was written. */
  async reloadLower(node: NodeName, lowered: boolean): Promise<void> {
    if (lowered) this.#lowered.add(node);
    else this.#lowered.delete(node);
    await this.pair.editRouter(
      node,
      lowered ? setKeyword("vrrp_instance", "priority", String(LOWEST_PRIORITY)) : undefined,
    );
    await this.pair.reload(node);
  }

  /** Undoes all harm and waits until the stronger node is active and the weaker one stands by, at any moment between two adverts. */
  async makeWell(): Promise<void> {
    const unserved = [...this.#suppressed];
    await this.#undo();
    for (const node of NODES) await this.start(node);
    await this.pair.untilListening();
    await this.pair.untilActive(this.active);
    if (unserved.length > 0) {
      await this.#passCheck(unserved);
      await this.pair.untilActive(this.active);
    }
    await this.passPartOfInterval();
  }

  /** A check that has seen a dead web server counts until it has run again; of a node that stands by nothing on the network tells. */
  async #passCheck(nodes: readonly NodeName[]): Promise<void> {
    const { nodes: plans } = this.pair.plan;
    const waits = nodes.map((node) => (plans[node].checkIntervalMs ?? 0) + (plans[node].checkTimeoutMs ?? 0));
    await sleepMs(Math.max(...waits));
  }

  /** What follows shall not always come at the same moment between two adverts: a silent fault costs an interval more or less by that. */
  async passPartOfInterval(): Promise<void> {
    await sleepMs(Math.random() * this.pair.plan.nodes[this.active].instance.advertIntervalMs);
  }

  /** A fresh start of both nodes at once. */
  async startBoth(): Promise<void> {
    for (const node of NODES) await this.pair.start(node);
  }

  /** A fresh start: the weaker node begins when the stronger one holds the address, so that no race and no nopreempt decides. */
  async restart(): Promise<void> {
    await this.#undo();
    for (const node of NODES) await this.pair.clear(node);
    await this.pair.start(this.active);
    await this.pair.until(() => this.pair.holders().includes(this.active), this.pair.settleTimeoutMs);
    await this.pair.start(this.standby);
    this.#stopped.clear();
  }

  /** Stops both nodes, so that their files can be replaced. */
  async stopAll(): Promise<void> {
    await this.#undo();
    await this.pair.endProbing();
    for (const node of NODES) await this.pair.clear(node);
  }

  /** All harm but the nodes' own stops. */
  async #undo(): Promise<void> {
    for (const node of [...this.#unplugged]) this.replug(node);
    if (this.#parted !== undefined) this.pair.gather(this.#parted);
    this.#parted = undefined;
    if (this.#hasFarClient) await this.pair.probeFar(false);
    this.#hasFarClient = false;
    for (const node of [...this.#cutOff]) await this.loseBackEnds(node, false);
    for (const node of [...this.#linkDown]) await this.setLinkUp(node, true);
    for (const node of [...this.#frozen]) await this.freeze(node, false);
    for (const node of [...this.#suppressed]) await this.suppressHttp(node, false);
    for (const node of [...this.#lowered]) await this.reloadLower(node, false);
  }

  /** When a node's adverts have passed the switch, between two instants; milliseconds since the epoch. */
  advertsOf(node: NodeName, fromWallMs: number, toWallMs: number): readonly number[] {
    const { mac } = this.pair.topology.station(node);
    return this.#capture.advertsOf(mac, fromWallMs, toWallMs).map(({ wallMs }) => wallMs);
  }

  /** Notes who is active, and begins to measure. */
  begin(): Mark {
    return { before: this.pair.answering(ANSWERING_MS), atMs: nowMs() };
  }

  /** Waits until `node` alone answers, then for the aftermath. False when it didn't within the time. */
  async untilAnswers(node: NodeName, timeoutMs: number): Promise<boolean> {
    const sinceMs = nowMs();
    const answers = await this.pair.until(() => this.pair.isCalm(node, sinceMs), timeoutMs + PATIENCE_MS);
    await sleepMs(AFTERMATH_MS);
    return answers;
  }

  /** The same of both clients. */
  async untilBothSidesAnswer(node: NodeName, timeoutMs: number): Promise<boolean> {
    const sinceMs = nowMs();
    const isCalm = (): boolean => this.pair.isCalm(node, sinceMs) && this.pair.isFarCalm(node, sinceMs);
    const answers = await this.pair.until(isCalm, timeoutMs + PATIENCE_MS);
    await sleepMs(AFTERMATH_MS);
    return answers;
  }

  /** The same, whichever node it is. */
  async untilAnyAnswers(timeoutMs: number): Promise<boolean> {
    const sinceMs = nowMs();
    const isCalm = (): boolean => NODES.some((node) => this.pair.isCalm(node, sinceMs));
    const answers = await this.pair.until(isCalm, timeoutMs + PATIENCE_MS);
    await sleepMs(AFTERMATH_MS);
    return answers;
  }

  /** Ends the measurement: the clients' view since the mark, held against what is allowed. */
  async end(
    mark: Mark,
    allowed: { readonly ms: number | undefined; readonly by: string },
    expectations: readonly Expectation[],
  ): Promise<Measurement> {
    const after = this.pair.answering(ANSWERING_MS);
    const endMs = nowMs();
    const near = await this.pair.view(mark.atMs, endMs);
    const far = this.#hasFarClient ? await this.pair.farView(mark.atMs, endMs) : undefined;
    const view = far === undefined ? near : joinViews([near, far]);
    const limitMs = allowed.ms === undefined ? undefined : allowed.ms + Math.max(SLACK_MS, this.#noiseMs);
    const within = limitMs === undefined ? [] : [gapExpectation(view, limitMs)];
    return {
      before: mark.before,
      after,
      gapMs: view.gapMs,
      open: view.open,
      failed: view.failed,
      attempts: view.attempts,
      failures: view.failures,
      allowedMs: allowed.ms,
      allowedBy: allowed.by,
      bothHeldMs: bothHeldMs(this.pair.holdings, mark.atMs, endMs),
      expectations: [...within, ...expectations],
      ...(far === undefined ? {} : { note: `gaps of ${Math.round(near.gapMs)} and ${Math.round(far.gapMs)} ms` }),
    };
  }

  /** One node, and only that one, holds the address at this moment. */
  expectOwner(node: NodeName): Expectation {
    const holders = this.pair.holders();
    return {
      what: `only ${node} holds the address (${holders.join(" and ") || "nobody"} does)`,
      holds: holders.join() === node,
    };
  }

  /** The node's kernel has not ceased to hold the address since the mark. */
  expectUnmoved(node: NodeName, mark: Mark): Expectation {
    const moved = this.pair.holdings.some((event) => event.atMs > mark.atMs);
    return { what: `the address stays on ${node}`, holds: !moved };
  }
}

/** Whose answer counts as the present one. */
const ANSWERING_MS = 400;
/** How much longer than allowed a scenario waits, so that a broken expectation is measured, not only noticed. */
const PATIENCE_MS = 4000;

/** A delay of a busy machine; more than that is the node's own. */
const DOUBTFUL_MS = 200;

function gapExpectation(view: ClientView, limitMs: number): Expectation {
  const gap = `${Math.round(view.gapMs)} ms${view.open ? " and longer" : ""}`;
  return {
    what: `gap of at most ${Math.round(limitMs)} ms (${gap})`,
    holds: view.gapMs <= limitMs && !view.open,
    isDelay: view.gapMs <= limitMs + DOUBTFUL_MS,
  };
}
