/**
 * A peer at random, by weight; with `two`, the better of two such. After 20 peers in vain, round robin.
 * nginx: ngx_http_upstream_random_module; `least_time` as nginx Plus has it.
 */
import { byWeight, MAX_MISSES } from "./ip_hash.ts";
import { estimatedTime, recordTimes, type TimeMode } from "./least_time.ts";
import { CONNS, type Group } from "./peers.ts";
import type { Pick } from "./pick.ts";
import { type PeerOutcome, RoundRobin, SUCCESS } from "./round_robin.ts";

/** A whole number, 0 … bound − 1. */
export type RandomBelow = (bound: number) => number;

/** `random`. */
export class Random extends RoundRobin {
  protected readonly below: RandomBelow;

  constructor(group: Group, below: RandomBelow) {
    super(group);
    this.below = below;
  }

  protected override choose(pick: Pick, nowMs: number): boolean {
    if (pick.misses > MAX_MISSES || pick.peers.count < 2) return super.choose(pick, nowMs);
    const nowS = Math.floor(nowMs / 1000);
    let index = this.hinted(pick, nowS);
    if (index < 0) index = this.draw(pick, nowS);
    return index < 0 ? super.choose(pick, nowMs) : this.take(pick, index, nowS) >= 0;
  }

  /** An eligible peer, or -1 after too many that are not. */
  protected draw(pick: Pick, nowS: number): number {
    return this.drawOther(pick, -1, nowS);
  }

  /** An eligible peer other than `first`. */
  protected drawOther(pick: Pick, first: number, nowS: number): number {
    for (;;) {
      const index = byWeight(pick, this.below(pick.peers.totalWeight));
      if (index !== first && pick.eligible(index, nowS)) return index;
      if (++pick.misses > MAX_MISSES) return -1;
    }
  }
}

/** `random two [least_conn | least_time=header | least_time=last_byte]`. */
export class RandomTwo extends Random {
  private readonly mode: TimeMode | undefined;

  /** `mode`: compares estimated times; undefined: connections. */
  constructor(group: Group, below: RandomBelow, mode: TimeMode | undefined) {
    super(group, below);
    this.mode = mode;
  }

  protected override draw(pick: Pick, nowS: number): number {
    const first = this.drawOther(pick, -1, nowS);
    if (first < 0) return -1;
    const second = this.drawOther(pick, first, nowS);
    if (second < 0) return -1;
    const { peers } = pick;
    const worse =
      this.cost(pick, second, nowS) * peers.weight(first) > this.cost(pick, first, nowS) * peers.weight(second);
    return worse ? first : second;
  }

  private cost({ peers }: Pick, index: number, nowS: number): number {
    return this.mode === undefined ? peers.get(index, CONNS) : estimatedTime(peers, index, this.mode, nowS);
  }

  override finish(pick: Pick, outcome: PeerOutcome, headerMs: number, responseMs: number, nowMs: number): boolean {
    if (this.mode !== undefined && outcome === SUCCESS && headerMs >= 0) {
      this.group.memory.lock();
      recordTimes(pick.peers, pick.current, headerMs, responseMs);
      this.group.memory.unlock();
    }
    return super.finish(pick, outcome, headerMs, responseMs, nowMs);
  }
}
