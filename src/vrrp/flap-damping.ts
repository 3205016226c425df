/**
 * Flap damping after RFC 2439 §4.2, for what health takes from a router's priority: pure, no clock. A level is that amount, 0 or less
 * (more, with weights above 0); a fault is the lowest of all. A fall counts at once and in full. Only a rise is damped:
 *
 *     a fall that follows a rise  | penalty + 1000; from `suppress` on the router is damped
 *     a fall behind another fall  | the same trouble, no penalty
 *     damped                      | the level is the lowest since then, whatever health says
 *     time                        | the penalty halves every half-life; at `reuse` the router is as its health is again
 *
 * What is held back is priority, never the role: a damped router is a backup of low priority and takes over when nobody better is left.
 */

import type { FlapDamping } from "../conf/keepalived/config.ts";
import { FALL_PENALTY } from "../conf/keepalived/flap-damping.ts";

/** The level of a router in fault. */
export const FAULT_LEVEL = -255;

export interface FlapState {
  /** As it was at the last fall, at `fellMs`. */
  readonly penalty: number;
  readonly fellMs: number;
  /** When the penalty will have sunk to `reuse`. */
  readonly reuseMs: number;
  /** As health says; undefined: not looked at since the configuration has changed. */
  readonly level: number | undefined;
  /** Since the last fall. */
  readonly hasRisen: boolean;
  /** The level that it does not rise above; undefined: it is not damped. */
  readonly heldLevel: number | undefined;
}

/** Nothing has happened yet. */
export const NEW_FLAPS: FlapState = {
  penalty: 0,
  fellMs: 0,
  reuseMs: 0,
  level: undefined,
  hasRisen: true,
  heldLevel: undefined,
};

/** What is left of the penalty at an instant. */
export function penaltyAt({ halfLifeMs }: FlapDamping, { penalty, fellMs }: FlapState, atMs: number): number {
  return penalty * 2 ** (-Math.max(0, atMs - fellMs) / halfLifeMs);
}

/** Health says `level` now, or still. */
export function stepFlaps(rules: FlapDamping, state: FlapState, level: number, atMs: number): FlapState {
  const rested = state.heldLevel !== undefined && atMs >= state.reuseMs ? { ...state, heldLevel: undefined } : state;
  const before = rested.level ?? level;
  if (level > before) return { ...rested, level, hasRisen: true };
  const fallen = level < before && rested.hasRisen ? addPenalty(rules, rested, atMs) : rested;
  const isDamped = fallen.heldLevel !== undefined || (fallen !== rested && fallen.penalty >= rules.suppress);
  const heldLevel = isDamped ? Math.min(fallen.heldLevel ?? level, level) : undefined;
  return { ...fallen, level, heldLevel };
}

function addPenalty(rules: FlapDamping, state: FlapState, atMs: number): FlapState {
  const { halfLifeMs, reuse, maxSuppressMs } = rules;
  // RFC 2439 §4.2, the ceiling: no penalty takes longer than max_suppress to sink to reuse.
  const ceiling = reuse * 2 ** (maxSuppressMs / halfLifeMs);
  const penalty = Math.min(ceiling, penaltyAt(rules, state, atMs) + FALL_PENALTY);
  const reuseMs = atMs + halfLifeMs * Math.max(0, Math.log2(penalty / reuse));
  return { ...state, penalty, fellMs: atMs, reuseMs, hasRisen: false };
}

/** What is taken from the priority beyond what health takes, 0 or less. */
export function heldBack({ level, heldLevel }: FlapState): number {
  return heldLevel === undefined ? 0 : Math.min(0, heldLevel - (level ?? 0));
}
