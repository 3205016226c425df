/**
 * Fewest connections for its weight; among equals, smooth weighted round robin.
 * nginx: ngx_http_upstream_least_conn_module.
 */
import { CONNS, CURRENT_WEIGHT } from "./peers.ts";
import type { Pick } from "./pick.ts";
import { RoundRobin } from "./round_robin.ts";

export class LeastConn extends RoundRobin {
  /** What is compared, before it is divided by the weight. */
  protected cost(pick: Pick, index: number, _nowMs: number, _nowS: number): number {
    return pick.peers.get(index, CONNS);
  }

  /** Called once for each eligible peer, before its cost is asked for. */
  protected consider(_pick: Pick, _index: number, _nowMs: number): void {}

  /** The peer whose cost the others must equal, when `best` has replaced `first`. */
  protected measure(_first: number, best: number): number {
    return best;
  }

  protected override best(pick: Pick, nowMs: number, nowS: number): number {
    const sticky = this.hinted(pick, nowS);
    if (sticky >= 0) return this.take(pick, sticky, nowS);
    const { peers } = pick;
    let best = -1;
    let bestCost = 0;
    let bestWeight = 0;
    let many = false;
    for (let index = 0; index < peers.count; index++) {
      if (!pick.eligible(index, nowS)) continue;
      this.consider(pick, index, nowMs);
      const weight = peers.scaled(index, peers.weight(index), nowMs);
      const cost = this.cost(pick, index, nowMs, nowS);
      if (best < 0 || cost * bestWeight < bestCost * weight) {
        best = index;
        bestCost = cost;
        bestWeight = weight;
        many = false;
      } else if (cost * bestWeight === bestCost * weight) many = true;
    }
    if (best < 0) return -1;
    if (many) best = this.amongEquals(pick, best, nowMs, nowS);
    return this.take(pick, best, nowS);
  }

  private amongEquals(pick: Pick, first: number, nowMs: number, nowS: number): number {
    const { peers } = pick;
    let best = first;
    let bestCost = this.cost(pick, first, nowMs, nowS);
    let bestWeight = peers.scaled(first, peers.weight(first), nowMs);
    let total = 0;
    for (let index = first; index < peers.count; index++) {
      if (!pick.eligible(index, nowS)) continue;
      const weight = peers.scaled(index, peers.weight(index), nowMs);
      if (this.cost(pick, index, nowMs, nowS) * bestWeight !== bestCost * weight) continue;
      total += this.grow(pick, index, nowMs);
      if (peers.get(index, CURRENT_WEIGHT) <= peers.get(best, CURRENT_WEIGHT)) continue;
      best = index;
      bestCost = this.cost(pick, this.measure(first, index), nowMs, nowS);
      bestWeight = weight;
    }
    peers.set(best, CURRENT_WEIGHT, peers.get(best, CURRENT_WEIGHT) - total);
    return best;
  }
}
