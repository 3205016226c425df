/** The intervals of VRRP (RFC 9568 §6.1, RFC 3768 §6.1) and the bounds of a priority. */
import { PRIORITY_OWNER } from "../wire/vrrp/advert.ts";

/** What the formulas need of a router. */
export interface Timing {
  readonly version: 2 | 3;
  readonly downTimerAdverts: number;
}

/** Skew_Time: the better the priority, the sooner. Version 2: parts of a second; version 3: parts of the interval. */
export function skewMs(version: 2 | 3, priority: number, intervalMs: number): number {
  return ((256 - priority) * (version === 2 ? 1000 : intervalMs)) / 256;
}

/** Active_Down_Interval: how long nothing is heard before a backup takes over. */
export function downIntervalMs(timing: Timing, priority: number, intervalMs: number): number {
  return timing.downTimerAdverts * intervalMs + skewMs(timing.version, priority, intervalMs);
}

/** An effective priority: 1 … 254, unless the router owns its addresses, which no tracking can change. */
export function clampPriority(basePriority: number, adjustment: number): number {
  if (basePriority === PRIORITY_OWNER) return PRIORITY_OWNER;
  return Math.min(254, Math.max(1, basePriority + adjustment));
}
