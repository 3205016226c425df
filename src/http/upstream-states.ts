/** How the upstreams of a worker are, for `tandem status` and for VRRP's `track_upstream`. */
import {
  BY_ORDER,
  CONNS,
  DOWN,
  DRAINING,
  FAILS,
  type Group,
  type Peers,
  UNCHECKED,
  UNHEALTHY,
} from "../balance/peers.ts";
import type { PeerState, PeerStateName, UpstreamState } from "../io/service.ts";
import { Timer } from "../net/timers.ts";
import type { Worker } from "./worker.ts";

/** How often changes that nobody tells of (failures of requests, their end) are looked for. */
const LOOK_MS = 1000;

/** Tells of the upstreams of a worker whenever the state of a peer has changed. */
export class UpstreamStates {
  private readonly worker: Worker;
  private readonly onChange: () => void;
  private readonly timer = new Timer(() => this.look());
  private told = "";

  constructor(worker: Worker, onChange: () => void) {
    this.worker = worker;
    this.onChange = onChange;
    worker.health.onChange = () => this.compare();
    if ([...worker.upstreams.all].length > 0) worker.timers.arm(this.timer, 0);
  }

  stop(): void {
    this.worker.timers.discard(this.timer);
  }

  private look(): void {
    this.worker.timers.arm(this.timer, LOOK_MS);
    this.compare();
  }

  private compare(): void {
    const said = JSON.stringify(
      this.states().map(({ name, peers }) => [name, peers.map((peer) => [peer.name, peer.state])]),
    );
    if (said === this.told) return;
    this.told = said;
    this.onChange();
  }

  /** All upstreams that have a block. */
  states(): readonly UpstreamState[] {
    return [...this.worker.upstreams.all].map(({ balancer: { group } }) => {
      const peers = [...this.peerStates(group, group.primary, false)];
      if (group.backup !== undefined) peers.push(...this.peerStates(group, group.backup, true));
      return { name: group.name, isChecked: peers.some(({ check }) => check !== undefined), peers };
    });
  }

  private peerStates(group: Group, peers: Peers, isBackup: boolean): readonly PeerState[] {
    const nowS = Math.floor(this.worker.ports.reactor.clock.now() / 1000);
    return peers.settings.map((peer, index): PeerState => {
      const health = this.worker.health.healthOf(group, peer);
      return {
        name: peer.name,
        server: peer.server,
        isBackup,
        state: stateOf(group, peers, index, nowS),
        connections: peers.get(index, CONNS),
        fails: peers.get(index, FAILS),
        check: health && {
          checks: health.checks,
          failures: health.failures,
          unhealthyTimes: health.unhealthyTimes,
          atMs: health.checkedAtMs,
          why: health.why,
        },
      };
    });
  }
}

/** nginx Plus: `state` of a peer in its API. */
function stateOf(group: Group, peers: Peers, index: number, nowS: number): PeerStateName {
  const down = peers.get(index, DOWN);
  if ((down & BY_ORDER) !== 0) return "down";
  if ((down & UNHEALTHY) !== 0) return "unhealthy";
  if ((down & UNCHECKED) !== 0) return "checking";
  if ((down & DRAINING) !== 0) return "draining";
  return !group.single && peers.failed(index, nowS) ? "unavail" : "up";
}
