/**
 * Smooth weighted round robin, and the base of every other algorithm: passive health, backup peers, limits, sticky hints.
 * Each choice adds every peer's effective weight to its current one, takes the largest and lowers that by the sum.
 * A failure lowers the effective weight; every choice gives one unit back. nginx: ngx_http_upstream_round_robin.c.
 */
import type { Bytes } from "../base/bytes.ts";
import {
  ACCESSED,
  CHECKED,
  CURRENT_WEIGHT,
  countRequest,
  DOWN,
  DRAINING,
  EFFECTIVE_WEIGHT,
  FAILS,
  type Group,
} from "./peers.ts";
import type { Pick } from "./pick.ts";

/** How a request's time with a peer ended: well; well for the peer, but the request goes on to another (403, 404); badly. */
export const SUCCESS = 0;
export const NEXT = 1;
export const FAILURE = 2;
export type PeerOutcome = typeof SUCCESS | typeof NEXT | typeof FAILURE;

/** Which peer next. `nowMs` is a clock that never goes back and that all who share the memory read alike. */
export interface Balancer {
  readonly group: Group;
  /** A request begins; `key` is what hash (the key) and ip_hash (the client's address, empty for a unix socket) go by. */
  begin(pick: Pick, key: Bytes): void;
  /** Finds the request its next peer: `pick.peers`, `pick.current`. False: there is none ("no live upstreams"). */
  next(pick: Pick, nowMs: number): boolean;
  /** The peer has been connected to, which says of a stream's peer that it is well again. HTTP waits for the end of an answer. */
  connected(pick: Pick, nowMs: number): void;
  /** The header of the answer is there, `headerMs` after the choice. */
  gotHeader(pick: Pick, headerMs: number, nowMs: number): void;
  /**
   * The request is done with its peer. `headerMs` is -1 when no header came. True: that was the failure that puts the peer
   * out of rotation ("upstream server temporarily disabled").
   */
  finish(pick: Pick, outcome: PeerOutcome, headerMs: number, responseMs: number, nowMs: number): boolean;
}

export class RoundRobin implements Balancer {
  readonly group: Group;

  constructor(group: Group) {
    this.group = group;
  }

  begin(pick: Pick, key: Bytes): void {
    this.group.follow();
    pick.begin(this.group);
    pick.key = key;
  }

  next(pick: Pick, nowMs: number): boolean {
    const now = Math.floor(nowMs);
    const { group } = this;
    group.memory.lock();
    if (group.membership?.isStale === true) group.membership.follow();
    if (pick.generation !== group.generation) this.rejoin(pick);
    const found = this.choose(pick, now);
    group.memory.unlock();
    return found;
  }

  /** The members have changed since the request began: it goes on among the new ones (nginx: gives up). */
  private rejoin(pick: Pick): void {
    const { tries, hint } = pick;
    this.begin(pick, pick.key);
    pick.tries = Math.min(tries, pick.tries);
    pick.hint = hint;
  }

  connected(pick: Pick, nowMs: number): void {
    const { peers, current, single } = pick;
    if (single || peers.get(current, FAILS) === 0) return;
    this.group.memory.lock();
    if (peers.get(current, ACCESSED) < peers.get(current, CHECKED)) this.forgive(pick, nowMs);
    this.group.memory.unlock();
  }

  gotHeader(_pick: Pick, _headerMs: number, _nowMs: number): void {}

  finish(pick: Pick, outcome: PeerOutcome, _headerMs: number, _responseMs: number, nowMs: number): boolean {
    this.group.memory.lock();
    const disabled = this.release(pick, outcome, Math.floor(nowMs));
    this.group.memory.unlock();
    return disabled;
  }

  /** Chooses with the lock held: the only peer, the best primary, the best backup. */
  protected choose(pick: Pick, nowMs: number): boolean {
    const nowS = Math.floor(nowMs / 1000);
    const index = pick.single ? this.only(pick, nowS) : this.best(pick, nowMs, nowS);
    if (index >= 0) return true;
    const { backup } = this.group;
    if (backup === undefined || pick.peers === backup) return false;
    pick.peers = backup;
    pick.forgetTried();
    return this.choose(pick, nowMs);
  }

  /** The only peer serves however often it failed. */
  private only(pick: Pick, nowS: number): number {
    const { peers } = pick;
    let index = this.hinted(pick, nowS);
    if (index < 0 && peers.get(0, DOWN) === 0 && !peers.full(0)) index = 0;
    if (index >= 0) this.attach(pick, index);
    return index;
  }

  /** The best of `pick.peers`, taken; or -1. What least_conn and least_time replace. */
  protected best(pick: Pick, nowMs: number, nowS: number): number {
    const { peers } = pick;
    const sticky = this.hinted(pick, nowS);
    if (sticky >= 0) {
      // One peer's sessions may run ahead of its share by one round, no more: its weight would take for ever to recover.
      const lowLimit = -(peers.totalWeight - peers.weight(sticky)) * peers.scale;
      if (peers.get(sticky, CURRENT_WEIGHT) <= lowLimit) return this.take(pick, sticky, nowS);
    }
    let best = -1;
    let bestWeight = 0;
    let total = 0;
    for (let index = 0; index < peers.count; index++) {
      if (!pick.eligible(index, nowS)) continue;
      const share = this.grow(pick, index, nowMs);
      total += share;
      const current = peers.get(index, CURRENT_WEIGHT);
      if (best < 0 || current > bestWeight) {
        best = index;
        bestWeight = current;
      }
    }
    if (sticky >= 0) best = sticky;
    if (best < 0) return -1;
    peers.set(best, CURRENT_WEIGHT, peers.get(best, CURRENT_WEIGHT) - total);
    return this.take(pick, best, nowS);
  }

  /** Adds the peer's share to its current weight, lets the effective weight recover by one, and returns the share. */
  protected grow(pick: Pick, index: number, nowMs: number): number {
    const { peers } = pick;
    const effective = peers.get(index, EFFECTIVE_WEIGHT);
    const share = peers.scaled(index, effective, nowMs);
    peers.set(index, CURRENT_WEIGHT, peers.get(index, CURRENT_WEIGHT) + share);
    if (effective < peers.weight(index)) peers.set(index, EFFECTIVE_WEIGHT, effective + 1);
    return share;
  }

  /** The peer that the sticky hint names if it may be given the request: draining ones may. Or -1. */
  protected hinted(pick: Pick, nowS: number): number {
    const { hint, peers } = pick;
    if (hint === undefined) return -1;
    for (let index = 0; index < peers.count; index++) {
      if (peers.sid(index) !== hint) continue;
      const usable =
        !pick.wasTried(index) &&
        (peers.get(index, DOWN) & ~DRAINING) === 0 &&
        !peers.failed(index, nowS) &&
        !peers.full(index);
      return usable ? index : -1;
    }
    return -1;
  }

  /** The request goes to this peer: counted, marked as tried, and a new window of failures begins if the last is over. */
  protected take(pick: Pick, index: number, nowS: number): number {
    const { peers } = pick;
    if (peers.windowIsOver(index, nowS)) peers.set(index, CHECKED, nowS);
    pick.markTried(index);
    this.attach(pick, index);
    return index;
  }

  private attach(pick: Pick, index: number): void {
    const { peers } = pick;
    countRequest(peers.memory, peers.slots[index] as number, 1);
    pick.current = index;
  }

  /** Ends a request's time with its peer, with the lock held. */
  protected release(pick: Pick, outcome: PeerOutcome, nowMs: number): boolean {
    const { peers, current } = pick;
    let disabled = false;
    if (pick.single) {
      peers.set(current, FAILS, 0);
      pick.tries = 0;
    } else {
      if (outcome === FAILURE) disabled = this.countFailure(pick, Math.floor(nowMs / 1000));
      else if (peers.get(current, ACCESSED) < peers.get(current, CHECKED)) this.forgive(pick, nowMs);
      if (pick.tries > 0) pick.tries--;
    }
    countRequest(peers.memory, peers.slots[current] as number, -1);
    pick.current = -1;
    return disabled;
  }

  private countFailure(pick: Pick, nowS: number): boolean {
    const { peers, current } = pick;
    const { weight, maxFails } = peers.at(current);
    const fails = peers.get(current, FAILS) + 1;
    peers.set(current, FAILS, fails);
    peers.set(current, ACCESSED, nowS);
    peers.set(current, CHECKED, nowS);
    if (maxFails === 0) return false;
    const lowered = peers.get(current, EFFECTIVE_WEIGHT) - Math.floor(weight / maxFails);
    peers.set(current, EFFECTIVE_WEIGHT, Math.max(0, lowered));
    return fails >= maxFails;
  }

  /** A try in a window that began after the last failure went well. */
  private forgive(pick: Pick, nowMs: number): void {
    const { peers, current } = pick;
    const { maxFails } = peers.at(current);
    if (maxFails > 0 && peers.get(current, FAILS) >= maxFails) peers.recovered(current, nowMs);
    peers.set(current, FAILS, 0);
  }
}
