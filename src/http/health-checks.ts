/**
 * Active health checks of a worker: each checked upstream's peers are probed in turn, and what is found is written where all
 * who choose peers see it. Counterpart in nginx Plus: `health_check`, ngx_http_upstream_hc_module.
 */
import {
  beginHealth,
  type HealthSettings,
  type HealthState,
  type HealthStatus,
  statusOfBits,
  stepHealth,
} from "../balance/health.ts";
import {
  DOWN,
  type Group,
  type PeerSettings,
  type Peers,
  peerKey,
  setDown,
  UNCHECKED,
  UNHEALTHY,
} from "../balance/peers.ts";
import type { Level, Log } from "../base/log.ts";
import { Timed, Timer } from "../net/timers.ts";
import { Probe, type ProbeOwner, type ProbeRules } from "./health-probe.ts";
import type { Worker } from "./worker.ts";

/** How often members of an upstream that have changed are noticed. */
const LOOK_MS = 1000;
const RANDOM_BYTES = 4;

/** One `health_check`. */
export interface HealthCheck {
  readonly settings: HealthSettings;
  readonly rules: ProbeRules;
  /** Of the `match` block; "" without. */
  readonly matchName: string;
  readonly log: Log;
}

/** What is known of a peer by its checks, for `tandem status`. */
export interface PeerHealth {
  readonly status: HealthStatus;
  readonly checks: number;
  readonly failures: number;
  readonly unhealthyTimes: number;
  /** Wall time of the last check, ms; undefined before the first. */
  readonly checkedAtMs: number | undefined;
  /** What the last check failed at; "" when it has passed. */
  readonly why: string;
}

/** The active health checks of a worker: one of all workers runs them. */
export class HealthChecks {
  /** Called when a peer's status has changed. */
  onChange: () => void = () => {};
  private readonly worker: Worker;
  private readonly plans: readonly (() => HealthCheck)[];
  private running: readonly UpstreamHealth[] = [];

  /** `plans` make the checks of the configuration, when they are wanted. */
  constructor(worker: Worker, plans: readonly (() => HealthCheck)[]) {
    this.worker = worker;
    this.plans = plans;
  }

  start(): void {
    const byUpstream = new Map<Group, HealthCheck[]>();
    for (const plan of this.plans) {
      const check = plan();
      const { group } = check.rules.upstream.balancer;
      byUpstream.set(group, [...(byUpstream.get(group) ?? []), check]);
    }
    this.running = [...byUpstream.values()].map(
      (checks) => new UpstreamHealth(this.worker, checks, () => this.onChange()),
    );
    for (const one of this.running) one.start();
  }

  stop(): void {
    for (const one of this.running) one.stop();
    this.running = [];
  }

  /** What is known of a peer; undefined when nobody checks it here. */
  healthOf(group: Group, peer: PeerSettings): PeerHealth | undefined {
    return this.running.find((one) => one.group === group)?.healthOf(peer);
  }
}

/** All checks of an upstream. */
class UpstreamHealth {
  readonly group: Group;
  private readonly worker: Worker;
  private readonly checkers: readonly Checker[];
  private readonly onChange: () => void;
  private readonly look = new Timer(() => this.follow());
  private generation = -1;

  /** `onChange` is called when a peer's status has changed. */
  constructor(worker: Worker, checks: readonly HealthCheck[], onChange: () => void) {
    this.worker = worker;
    this.group = (checks[0] as HealthCheck).rules.upstream.balancer.group;
    this.onChange = onChange;
    this.checkers = checks.map((check) => new Checker(worker, this, check));
  }

  start(): void {
    this.follow();
  }

  stop(): void {
    this.worker.timers.discard(this.look);
    for (const checker of this.checkers) checker.stop();
  }

  /** Members come and go. */
  private follow(): void {
    this.worker.timers.arm(this.look, LOOK_MS);
    if (this.generation === this.group.generation) return;
    this.generation = this.group.generation;
    const peers = setsOf(this.group).flatMap(({ settings }) => settings.filter((peer) => !peer.down));
    for (const checker of this.checkers) checker.follow(peers);
    for (const peer of peers) this.apply(peer);
  }

  /** What the workers know of the peer by now. */
  knownStatus(peer: PeerSettings): HealthStatus {
    for (const peers of setsOf(this.group)) {
      const index = indexOf(peers, peer);
      if (index >= 0) return statusOfBits(peers.get(index, DOWN));
    }
    return "healthy";
  }

  /** A check has changed its mind, or a member is new. */
  changed(peer: PeerSettings): void {
    this.apply(peer);
    this.onChange();
  }

  private apply(peer: PeerSettings): void {
    const status = this.statusOf(peer);
    const now = this.worker.ports.reactor.clock.now();
    for (const peers of setsOf(this.group)) {
      const index = indexOf(peers, peer);
      if (index < 0) continue;
      setDown(peers, index, UNHEALTHY, status === "unhealthy", now);
      setDown(peers, index, UNCHECKED, status === "checking", now);
    }
  }

  /** The worst that any check says: one that fails is enough. */
  private statusOf(peer: PeerSettings): HealthStatus {
    const all = this.checkers.flatMap((checker) => checker.health(peer)?.status ?? []);
    return all.includes("unhealthy") ? "unhealthy" : all.includes("checking") ? "checking" : "healthy";
  }

  /** What the checks of a peer say together; undefined when it has none. */
  healthOf(peer: PeerSettings): PeerHealth | undefined {
    const all = this.checkers.flatMap((checker) => checker.health(peer) ?? []);
    const [first] = all;
    if (first === undefined) return undefined;
    const sum = (count: (one: PeerHealth) => number): number => all.reduce((total, one) => total + count(one), 0);
    const at = all.flatMap(({ checkedAtMs }) => checkedAtMs ?? []);
    return {
      status: this.statusOf(peer),
      checks: sum(({ checks }) => checks),
      failures: sum(({ failures }) => failures),
      unhealthyTimes: sum(({ unhealthyTimes }) => unhealthyTimes),
      checkedAtMs: at.length === 0 ? undefined : Math.max(...at),
      why: all.find(({ why }) => why !== "")?.why ?? "",
    };
  }
}

function setsOf({ primary, backup }: Group): readonly Peers[] {
  return backup === undefined ? [primary] : [primary, backup];
}

function indexOf(peers: Peers, peer: PeerSettings): number {
  const key = peerKey(peer);
  return peers.settings.findIndex((one) => peerKey(one) === key);
}

/** One `health_check` at work on all members. */
class Checker {
  readonly worker: Worker;
  readonly owner: UpstreamHealth;
  readonly check: HealthCheck;
  private peers = new Map<string, PeerCheck>();

  constructor(worker: Worker, owner: UpstreamHealth, check: HealthCheck) {
    this.worker = worker;
    this.owner = owner;
    this.check = check;
  }

  follow(members: readonly PeerSettings[]): void {
    const before = this.peers;
    this.peers = new Map();
    for (const peer of members) {
      const key = peerKey(peer);
      if (this.peers.has(key)) continue;
      this.peers.set(key, before.get(key) ?? new PeerCheck(this, peer));
      before.delete(key);
    }
    for (const gone of before.values()) gone.stop();
  }

  health(peer: PeerSettings): PeerHealth | undefined {
    return this.peers.get(peerKey(peer))?.health;
  }

  stop(): void {
    for (const peer of this.peers.values()) peer.stop();
  }
}

/** One check of one peer, again and again; the timer waits for the next. */
class PeerCheck extends Timed implements ProbeOwner {
  private readonly checker: Checker;
  private readonly peer: PeerSettings;
  private readonly probe: Probe;
  private state: HealthState;
  private checkedAtMs: number | undefined = undefined;
  private why = "";

  constructor(checker: Checker, peer: PeerSettings) {
    super();
    this.checker = checker;
    this.peer = peer;
    const { worker, check, owner } = checker;
    const { settings, rules } = check;
    this.probe = new Probe(worker, rules, rules.upstream.endpointOf(peer), this);
    this.state = beginHealth(settings, owner.knownStatus(peer), this.now(), this.random());
    this.wait();
  }

  get health(): PeerHealth {
    const { status, checks, failures, unhealthyTimes } = this.state;
    return { status, checks, failures, unhealthyTimes, checkedAtMs: this.checkedAtMs, why: this.why };
  }

  stop(): void {
    this.checker.worker.timers.discard(this);
    this.probe.stop();
  }

  private now(): number {
    return this.checker.worker.ports.reactor.clock.now();
  }

  /** 0 ≤ random < 1 */
  private random(): number {
    const bytes = this.checker.worker.ports.random(RANDOM_BYTES);
    return bytes.reduce((sum, byte) => sum * 256 + byte, 0) / 2 ** (8 * RANDOM_BYTES);
  }

  private wait(): void {
    const { probeAtMs } = this.state;
    if (probeAtMs !== undefined) this.checker.worker.timers.arm(this, Math.max(0, probeAtMs - this.now()));
  }

  onTimer(): void {
    const { settings } = this.checker.check;
    const { state, effects } = stepHealth(settings, this.state, { kind: "due" }, this.now(), 0);
    this.state = state;
    if (effects.length > 0) this.probe.start();
    else this.wait();
  }

  onProbe(doing: string | undefined, detail: string): void {
    const { check, worker, owner } = this.checker;
    const before = this.state.status;
    const input = { kind: "probed", passed: doing === undefined } as const;
    this.state = stepHealth(check.settings, this.state, input, this.now(), this.random()).state;
    this.checkedAtMs = worker.ports.reactor.clock.wall();
    this.why = doing === undefined ? "" : detail === "" ? doing : `${doing}: ${detail}`;
    this.wait();
    const { status } = this.state;
    if (status === before) return;
    if (status === "unhealthy") check.log.write("warn", `peer is unhealthy while ${doing}, ${this.name}`);
    else check.log.write("notice", `peer is healthy, ${this.name}`);
    owner.changed(this.peer);
  }

  log(level: Level, message: string, doing: string, errno?: number): void {
    const action = `while ${doing}, ${this.name}`;
    this.checker.check.log.write(level, message, errno === undefined ? { action } : { action, errno });
  }

  private get name(): string {
    const { matchName } = this.checker.check;
    return `health check "${matchName}" of peer ${this.peer.name} in upstream "${this.checker.owner.group.name}"`;
  }
}
