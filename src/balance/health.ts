/**
 * Active health checks: when a peer is probed, and when it is taken out and put back. nginx Plus: `health_check`,
 * ngx_http_upstream_hc_module. The machine knows no socket: it asks for a probe and is told how that went.
 *
 * | status     | a probe passes                          | a probe fails                              |
 * | healthy    | stays                                   | unhealthy after `fails` in a row           |
 * | checking   | healthy after `passes` in a row         | unhealthy                                  |
 * | unhealthy  | healthy after `passes` in a row         | stays                                      |
 *
 * "checking" is where `mandatory` begins: no traffic before the first check. "healthy" is where all others begin.
 */
import { UNCHECKED, UNHEALTHY } from "./peers.ts";

export interface HealthSettings {
  /** Between the end of one probe and the start of the next, ms (`interval`, 5 s). */
  readonly intervalMs: number;
  /** Up to so much later, at random (`jitter`, 0). */
  readonly jitterMs: number;
  /** Failures in a row that make a peer unhealthy, successes in a row that make it healthy. At least 1. */
  readonly fails: number;
  readonly passes: number;
  /** A new peer has to pass before it gets traffic. */
  readonly mandatory: boolean;
  /** With `mandatory`: a peer that was healthy before a reload still is. */
  readonly persistent: boolean;
}

/** `health_check` without parameters. */
export const HEALTH_DEFAULTS: HealthSettings = {
  intervalMs: 5000,
  jitterMs: 0,
  fails: 1,
  passes: 1,
  mandatory: false,
  persistent: false,
};

export type HealthStatus = "healthy" | "checking" | "unhealthy";

export interface HealthState {
  readonly status: HealthStatus;
  /** Probes in a row that ended as the last one did. */
  readonly streak: number;
  readonly lastPassed: boolean | undefined;
  /** When the next probe is due, ms; undefined while one is under way. */
  readonly probeAtMs: number | undefined;
  readonly checks: number;
  readonly failures: number;
  /** How often it has become unhealthy. */
  readonly unhealthyTimes: number;
}

export type HealthInput =
  /** The time has come that `probeAtMs` named. */
  { readonly kind: "due" } | { readonly kind: "probed"; readonly passed: boolean };

export type HealthEffect =
  /** Send a probe, and tell how it went. */
  | { readonly kind: "probe" }
  /** The peer's bits of DOWN follow: UNHEALTHY while unhealthy, UNCHECKED while checking; slow start begins with healthy. */
  | { readonly kind: "status"; readonly from: HealthStatus; readonly to: HealthStatus };

/**
 * The status that a peer begins with. `before`: what a configuration before this one had found out, undefined for a new peer.
 * nginx Plus forgets an unhealthy peer at a reload unless `mandatory` is set; here it stays what it was.
 */
export function initialStatus(
  { mandatory, persistent }: Pick<HealthSettings, "mandatory" | "persistent">,
  before: HealthStatus | undefined,
): HealthStatus {
  const remembered = persistent || !mandatory ? before : undefined;
  return remembered ?? (mandatory ? "checking" : "healthy");
}

/** The state in which a peer's checks begin, with the first probe at once (within the jitter). */
export function beginHealth(
  settings: HealthSettings,
  status: HealthStatus,
  nowMs: number,
  random: number,
): HealthState {
  return {
    status,
    streak: 0,
    lastPassed: undefined,
    probeAtMs: nowMs + settings.jitterMs * random,
    checks: 0,
    failures: 0,
    unhealthyTimes: 0,
  };
}

/** One input; `random`, 0 ≤ random < 1, chooses the jitter. An input that doesn't belong to the state changes nothing. */
export function stepHealth(
  settings: HealthSettings,
  state: HealthState,
  input: HealthInput,
  nowMs: number,
  random: number,
): { readonly state: HealthState; readonly effects: readonly HealthEffect[] } {
  if (input.kind === "due") {
    if (state.probeAtMs === undefined || nowMs < state.probeAtMs) return { state, effects: [] };
    return { state: { ...state, probeAtMs: undefined }, effects: [{ kind: "probe" }] };
  }
  if (state.probeAtMs !== undefined) return { state, effects: [] };
  const { passed } = input;
  const streak = state.lastPassed === passed ? state.streak + 1 : 1;
  const status = nextStatus(settings, state.status, passed, streak);
  const next: HealthState = {
    status,
    streak,
    lastPassed: passed,
    probeAtMs: nowMs + settings.intervalMs + settings.jitterMs * random,
    checks: state.checks + 1,
    failures: state.failures + (passed ? 0 : 1),
    unhealthyTimes: state.unhealthyTimes + (status === "unhealthy" && state.status !== "unhealthy" ? 1 : 0),
  };
  return {
    state: next,
    effects: status === state.status ? [] : [{ kind: "status", from: state.status, to: status }],
  };
}

function nextStatus(settings: HealthSettings, status: HealthStatus, passed: boolean, streak: number): HealthStatus {
  if (passed) return streak >= settings.passes ? "healthy" : status;
  if (status === "checking") return "unhealthy";
  return streak >= settings.fails ? "unhealthy" : status;
}

/** The status that a peer's bits of DOWN stand for. */
export function statusOfBits(down: number): HealthStatus {
  return (down & UNHEALTHY) !== 0 ? "unhealthy" : (down & UNCHECKED) !== 0 ? "checking" : "healthy";
}

/** The bit of DOWN that stands for a status. */
export function bitOfStatus(status: HealthStatus): number {
  return status === "unhealthy" ? UNHEALTHY : status === "checking" ? UNCHECKED : 0;
}
