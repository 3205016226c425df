/** The simulated segment: three nodes, a switch with faults, a client with an ARP cache, and the checks after every event. */
import { equalBytes } from "../../src/base/bytes.ts";
import { printIp } from "../../src/base/ip.ts";
import { exampleBfd } from "../../src/bfd/example.ts";
import type { FlapDamping, SplitBrainSettings } from "../../src/conf/keepalived/config.ts";
import { FakePeerNetwork } from "../../src/io/peer-socket-fake.ts";
import { FakeSwitch } from "../../src/io/segment-fake.ts";
import { FakeUdpNetwork } from "../../src/io/udp-fake.ts";
import { exampleInstance, exampleNode, examplePassword, exampleScript, ip } from "../../src/vrrp/example.ts";
import type { RouterState } from "../../src/vrrp/state.ts";
import { downIntervalMs, skewMs } from "../../src/vrrp/timing.ts";
import { ARP_REPLY, decodeArpFrame, encodeArp } from "../../src/wire/arp.ts";
import { ETHERTYPE_ARP, encodeEthernet } from "../../src/wire/ethernet.ts";
import { Random } from "./random.ts";
import { SimNode, simAddress, VIRTUAL } from "./sim-node.ts";
import { Timeline } from "./timeline.ts";

/** A broken promise, with the story that led to it. */
export class Violation extends Error {
  override readonly name = "Violation";
}

/** What a seed decides about the routers. */
export interface WorldSettings {
  readonly version: 2 | 3;
  readonly intervalMs: number;
  readonly priorities: readonly number[];
  readonly nopreempt: boolean;
  readonly preemptDelayMs: number;
  readonly weight: number;
  /** Every node watches every other one, five packets an advert interval but no more than a hundred a second, gone after three. */
  readonly withBfd?: boolean;
  /** All nodes share a peer_key, and connections go on for so long at the old owner; undefined: none does. */
  readonly handoverLimitMs?: number | undefined;
  /** `flap_damping` of all nodes. */
  readonly flapDamping?: FlapDamping | undefined;
  /** `split_brain_policy safe`, with this witness and, if it is said, a gateway. */
  readonly splitBrain?: {
    readonly witness: "none" | "reachable" | "exclusive";
    readonly hasGateway: boolean;
    readonly validMs: number;
  };
}

/** What is no node: the gateway of the segment, and the witness somewhere behind it. */
export type Elsewhere = "G" | "W";
export const GATEWAY = ip("192.168.50.1");
const GATEWAY_MAC = Uint8Array.of(2, 0, 0, 0, 0, 0xfe);

const LEAST_BFD_US = 10_000;
/** Events of a story that are kept. */
const STORY_LINES = 120;

export class World {
  readonly random: Random;
  readonly timeline = new Timeline();
  readonly settings: WorldSettings;
  readonly nodes: readonly SimNode[];
  /** By `pairOf`: packets from the one do not reach the other. */
  readonly #blocked = new Set<number>();
  loss = 0;
  duplication = 0;
  maxDelayMs = 0.5;
  /** Asked for every packet. */
  loses: () => boolean = () => false;
  /** Only adverts and the peer channel are cut where something is cut: a filter, not a broken wire. */
  isFiltered = false;
  /** Who has the lease of the witness. */
  lease: { readonly holder: string; readonly untilMs: number } | undefined;
  /** Whom the client would send packets for the virtual address to. */
  clientSees: string | undefined;
  readonly #fabric: FakeSwitch;
  readonly #story: string[] = [];
  /** By node: the state that was told last. */
  readonly #told: (RouterState | undefined)[];
  /** By node: the role and the reason that were told last. */
  readonly #roles: string[];
  /** By `pairOf`: since when both are active although each can hear the other; undefined: they are not. */
  #rivals: (number | undefined)[] = [];
  /** By node: when it last was active, or could have heard somebody who is. */
  readonly #served: number[];
  /** By node: nothing is wrong with it. */
  readonly #healthy: boolean[];
  /** The part of `silenceBoundMs` that does not change. */
  readonly #silenceMs: number;

  constructor(seed: number, settings: WorldSettings, random = new Random(seed)) {
    this.random = random;
    this.settings = settings;
    this.#fabric = new FakeSwitch({
      travel: (from, to) => this.#travel(from, to),
      schedule: (delayMs, task) => this.timeline.after(delayMs, task),
      onFrame: (from, frame) => this.#frame(from, frame),
    });
    const network = new FakeUdpNetwork({
      travel: (from, to) => this.#travel(from, to),
      schedule: (delayMs, task) => this.timeline.after(delayMs, task),
    });
    const peerNetwork = new FakePeerNetwork(
      (from, to) => this.#travel(from, to),
      (delayMs, task) => this.timeline.after(delayMs, task),
    );
    this.#silenceMs = longestSilenceMs(settings);
    this.#told = settings.priorities.map(() => undefined);
    this.#roles = settings.priorities.map(() => "");
    this.#served = settings.priorities.map(() => 0);
    this.#healthy = settings.priorities.map(() => false);
    const draw = (): number => this.random.between(0, 1);
    this.nodes = settings.priorities.map(
      (priority, index) =>
        new SimNode(index, this.#config(priority, index), this.timeline, this.#fabric, network, peerNetwork, draw),
    );
    for (const node of this.nodes) {
      node.onHandover = (text) => this.tell(text);
      node.askWitness = (wantsLease, answer) => this.askWitness(node, wantsLease, answer);
      node.giveBack = () => this.giveBack(node);
    }
    for (const node of this.nodes) this.timeline.at(this.random.between(0, settings.intervalMs), () => node.boot());
  }

  #config(priority: number, self: number) {
    const { version, intervalMs, nopreempt, preemptDelayMs, weight, withBfd, priorities, handoverLimitMs } =
      this.settings;
    const at = { file: "sim", line: 1 };
    const others = withBfd === true ? [...priorities.keys()].filter((index) => index !== self) : [];
    const everyUs = Math.max(intervalMs * 200, LEAST_BFD_US);
    const bfds = others.map((index) =>
      exampleBfd({
        name: `to ${index}`,
        neighbor: simAddress(index),
        minTxUs: everyUs,
        minRxUs: everyUs,
        idleTxUs: everyUs * 5,
        multiplier: 3,
      }),
    );
    const followed = bfds.map(({ name }) => ({ name, weight: 1, weightReverse: false, at }));
    const track = { name: "chk", weight, weightReverse: false, at };
    const instance = exampleInstance({
      version,
      priority,
      advertIntervalMs: intervalMs,
      nopreempt,
      preemptDelayMs,
      authentication: version === 2 ? examplePassword("1111") : undefined,
      splitBrain: this.#splitBrain(),
      flapDamping: priority === 255 ? undefined : this.settings.flapDamping,
      // No refresh: what the client knows it must have been told for a reason.
      where: new Map([["garp_master_refresh", at]]),
      tracks: { scripts: [track], interfaces: [], processes: [], files: [], bfds: followed, upstreams: [] },
    });
    const node = exampleNode({ instances: [instance], scripts: [exampleScript({ weight })], bfds });
    if (handoverLimitMs === undefined) return node;
    const peer = { key: "of the simulation", port: 61_112, handoverLimitMs };
    return { ...node, globals: { ...node.globals, peer } };
  }

  #splitBrain(): SplitBrainSettings | undefined {
    const { splitBrain } = this.settings;
    if (splitBrain === undefined) return undefined;
    const { witness, hasGateway, validMs } = splitBrain;
    const kind = witness === "exclusive" ? "etcd" : "tcp";
    return {
      validMs,
      gateway: hasGateway ? GATEWAY : undefined,
      witness: witness === "none" ? undefined : { kind, host: "w", port: 1, path: "k", text: "w" },
    };
  }

  /** Adverts sent so far. */
  get packets(): number {
    return this.#fabric.packets;
  }

  node(name: string): SimNode {
    return this.nodes[name.charCodeAt(0) - LETTER_A] as SimNode;
  }

  tell(line: string): void {
    this.#story.push(`${this.timeline.nowMs.toFixed(1).padStart(10)} ms  ${line}`);
    if (this.#story.length > STORY_LINES) this.#story.shift();
  }

  /** Something elsewhere and a node reach each other. */
  reaches(node: SimNode, other: Elsewhere): boolean {
    return (
      node.isLinkUp && !this.#blocked.has(pairOf(node.name, other)) && !this.#blocked.has(pairOf(other, node.name))
    );
  }

  /** Cuts the segment in two. */
  part(side: readonly string[], other: readonly string[]): void {
    for (const a of side)
      for (const b of other) {
        this.block(a, b);
        this.block(b, a);
      }
  }

  /** A node asks the witness: the answer, or nothing. */
  askWitness(node: SimNode, wantsLease: boolean, answer: () => void): void {
    const { splitBrain } = this.settings;
    if (splitBrain === undefined || !this.reaches(node, "W")) return;
    this.timeline.after(this.random.between(0.1, 2), () => {
      const now = this.timeline.nowMs;
      if (splitBrain.witness === "exclusive") {
        if (!wantsLease) return;
        if (this.lease !== undefined && this.lease.holder !== node.name && this.lease.untilMs > now) return;
        this.lease = { holder: node.name, untilMs: now + splitBrain.validMs + 1000 };
      }
      this.timeline.after(this.random.between(0.1, 2), () => {
        if (this.reaches(node, "W")) answer();
      });
    });
  }

  /** A node gives its lease back, if it can. */
  giveBack(node: SimNode): void {
    if (this.reaches(node, "W") && this.lease?.holder === node.name) this.lease = undefined;
  }

  block(from: string, to: string): void {
    this.#blocked.add(pairOf(from, to));
  }

  heal(): void {
    this.#blocked.clear();
    this.loss = 0;
    this.duplication = 0;
    this.maxDelayMs = 0.5;
    this.#rivals = [];
    this.isFiltered = false;
  }

  /** Packets from one running node reach the other. */
  canReach(from: SimNode, to: SimNode): boolean {
    if (!from.isLinkUp || !to.isLinkUp) return false;
    return this.#blocked.size === 0 || !this.#blocked.has(pairOf(from.name, to.name));
  }

  #travel(from: string, to: string): readonly number[] {
    if (!this.canReach(this.node(from), this.node(to)) || this.random.chance(this.loss) || this.loses()) return [];
    const delay = (): number => this.random.between(0.05, this.maxDelayMs);
    return this.random.chance(this.duplication) ? [delay(), delay()] : [delay()];
  }

  /** The client's way to every node is never disturbed: what is tested is whether it is told. */
  #frame(from: string, frame: Uint8Array): void {
    this.#frameBetweenNodes(this.node(from), frame);
    const read = decodeArpFrame(frame);
    if (!read.ok || printIp(read.value.senderIp) !== printIp(VIRTUAL) || !this.node(from).isLinkUp) return;
    this.timeline.after(0.1, () => {
      if (this.clientSees !== from) this.tell(`the client hears that ${from} has the address`);
      this.clientSees = from;
    });
  }

  /** What the others hear of it, and say. */
  #frameBetweenNodes(from: SimNode, frame: Uint8Array): void {
    const read = decodeArpFrame(frame);
    if (!read.ok || !from.isLinkUp) return;
    const { senderIp, senderMac, targetIp } = read.value;
    const isHeard = (to: SimNode): boolean =>
      from !== to && to.isLinkUp && (this.isFiltered || this.canReach(from, to));
    const answer = (ip: Uint8Array, mac: Uint8Array): void => {
      const reply = { operation: ARP_REPLY, senderMac: mac, senderIp: ip, targetMac: senderMac, targetIp: senderIp };
      this.timeline.after(0.2, () => from.hear(encodeEthernet(senderMac, mac, ETHERTYPE_ARP, encodeArp(reply))));
    };
    if (equalBytes(senderIp, targetIp)) {
      for (const to of this.nodes.filter(isHeard)) this.timeline.after(0.1, () => to.hear(frame));
      return;
    }
    if (equalBytes(targetIp, GATEWAY) && this.reaches(from, "G")) answer(GATEWAY, GATEWAY_MAC);
    for (const to of this.nodes.filter(isHeard))
      if (equalBytes(targetIp, VIRTUAL) && to.isPowered && to.holdsAddress) answer(VIRTUAL, to.mac);
  }

  /** The longest that a healthy node may wait for an active router: a full timer, one more listening after a stall. */
  get silenceBoundMs(): number {
    return this.#silenceMs + 2 * this.maxDelayMs + 1;
  }

  run(untilMs: number): void {
    this.timeline.runUntil(untilMs, () => this.check());
  }

  fail(what: string): never {
    const roles = this.nodes.map(
      (node) => `${node.name} ${node.state?.role ?? "off"}${node.isPaused ? " paused" : ""}`,
    );
    throw new Violation(
      `${what}\n${this.#story.join("\n")}\n${this.timeline.nowMs.toFixed(1)} ms: ${roles.join(", ")}`,
    );
  }

  /** What has to hold behind every event. Most of a simulation's time is spent here: no allocation where nothing has changed. */
  check(): void {
    // Whoever must be sure may wait for as long as nobody tells.
    const mustServe = this.settings.splitBrain === undefined;
    let active = 0;
    for (const node of this.nodes) {
      this.#tellRole(node);
      if (!node.isRunning) continue;
      const { holdsAddress, isActive } = node;
      if (holdsAddress && !isActive) this.fail(`${node.name} holds the address and is not active`);
      if (!holdsAddress && isActive) this.fail(`${node.name} is active without the address`);
      if (isActive) active++;
      this.#checkHandovers(node, isActive);
    }
    this.#checkRivals(active);
    if (mustServe) for (const node of this.nodes) this.#checkService(node);
  }

  /** What a hand-over has put into the kernel belongs to one that is going on. */
  #checkHandovers(node: SimNode, isActive: boolean): void {
    const { phases, detours } = node;
    const keeps = phases.includes("ordered") || phases.includes("draining");
    if (node.keepsAddress !== keeps)
      this.fail(`${node.name} ${keeps ? "does not keep" : "keeps"} the address on its loopback (${phases.join(", ")})`);
    if (detours.silences.length > 0 !== (keeps && !isActive))
      this.fail(`${node.name} is ${keeps ? "not silent" : "silent"} about the address (${phases.join(", ")})`);
    let lays = 0;
    for (const phase of phases) if (phase === "ready" || phase === "detouring") lays++;
    if (detours.detours.length !== lays)
      this.fail(`${node.name} has ${detours.detours.length} detours for ${lays} hand-overs (${phases.join(", ")})`);
  }

  #tellRole(node: SimNode): void {
    const { index, state } = node;
    if (this.#told[index] === state && this.#roles[index] !== "") return;
    this.#told[index] = state;
    const now = state === undefined ? "gone" : `${state.role}: ${state.reason}`;
    if (this.#roles[index] === now) return;
    this.#roles[index] = now;
    this.tell(`${node.name} ${now}`);
  }

  /** Two active routers that can hear each other must not stay so for longer than an advert takes to come. */
  #checkRivals(active: number): void {
    if (active < 2) {
      if (this.#rivals.length > 0) this.#rivals = [];
      return;
    }
    const now = this.timeline.nowMs;
    for (const a of this.nodes)
      for (const b of this.nodes) {
        if (a.index >= b.index) continue;
        const pair = pairOf(a.name, b.name);
        const isClean = this.loss === 0 && this.canReach(a, b) && this.canReach(b, a);
        if (!a.isRunning || !b.isRunning || !a.isActive || !b.isActive || !isClean) {
          this.#rivals[pair] = undefined;
          continue;
        }
        const since = this.#rivals[pair] ?? now;
        this.#rivals[pair] = since;
        if (now - since > this.settings.intervalMs + 2 * this.maxDelayMs + 1)
          this.fail(`${a.name} and ${b.name} are both active for ${(now - since).toFixed(1)} ms`);
      }
  }

  /** A healthy node is active itself, or hears somebody who is, or takes over within the bound. */
  #checkService(node: SimNode): void {
    const { index } = node;
    const now = this.timeline.nowMs;
    const isHealthy = node.isRunning && node.isLinkUp && node.state?.role !== "fault";
    const wasHealthy = this.#healthy[index] as boolean;
    this.#healthy[index] = isHealthy;
    if (!isHealthy || !wasHealthy || this.#isServed(node)) this.#served[index] = now;
    const since = Math.max(this.#served[index] as number, node.healthySinceMs);
    if (now - since > this.silenceBoundMs)
      this.fail(`${node.name} is healthy and hears no active router for ${(now - since).toFixed(1)} ms`);
  }

  #isServed(node: SimNode): boolean {
    if (node.isActive) return true;
    for (const other of this.nodes)
      if (other !== node && other.isRunning && other.isActive && this.canReach(other, node)) return true;
    return false;
  }
}

/** One number for each ordered pair of what has a letter for its name. */
function pairOf(from: string, to: string): number {
  return (from.charCodeAt(0) - LETTER_A) * LETTERS + (to.charCodeAt(0) - LETTER_A);
}
const LETTER_A = 65;
const LETTERS = 26;

function longestSilenceMs({ version, intervalMs, priorities, weight, flapDamping }: WorldSettings): number {
  // Who was in fault and is damped ranks lowest of all.
  const damped = flapDamping === undefined ? 255 : 1;
  const failed = Math.max(1, Math.min(...priorities) + Math.min(0, weight));
  const lowest = Math.min(...priorities, failed, damped);
  const timer = downIntervalMs({ version, downTimerAdverts: 3 }, lowest, intervalMs);
  return timer + intervalMs + skewMs(version, lowest, intervalMs);
}
