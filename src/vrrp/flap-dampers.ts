/** The flap damping of a node's routers: what each has been seen at, and what that leaves of its priority. */
import type { Log } from "../base/log.ts";
import type { FlapDamping, Tracks, VrrpInstance } from "../conf/keepalived/config.ts";
import { FAULT_LEVEL, type FlapState, heldBack, NEW_FLAPS, penaltyAt, stepFlaps } from "./flap-damping.ts";
import { clampPriority } from "./timing.ts";
import type { Assessment } from "./track.ts";

const NO_TRACKS: Tracks = { scripts: [], interfaces: [], processes: [], files: [], bfds: [], upstreams: [] };

/** What is damped of an instance, or of its group: everything, or what only Tandem knows. */
export function dampedTracks<T extends { readonly tracks: Tracks }>(owner: T, { scope }: FlapDamping): T {
  return scope === "all" ? owner : { ...owner, tracks: { ...NO_TRACKS, upstreams: owner.tracks.upstreams } };
}

/** For status. */
export interface FlapReport {
  readonly penalty: number;
  /** It ranks no higher than this; undefined: it is not damped. */
  readonly heldPriority: number | undefined;
  readonly endsInMs: number | undefined;
}

/** What a router's health is, as far as it is damped. */
export interface DampedHealth {
  readonly instance: Pick<VrrpInstance, "name" | "priority" | "flapDamping">;
  /** All that health says. */
  readonly assessment: Assessment;
  /** What damped things alone say; undefined: that is not known yet. */
  readonly damped: Pick<Assessment, "priority" | "faults"> | undefined;
  readonly atMs: number;
}

export class FlapDampers {
  readonly #log: Log;
  readonly #states = new Map<string, FlapState>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** When a router that is damped is so no longer. */
  get nextMs(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { heldLevel, reuseMs } of this.#states.values())
      if (heldLevel !== undefined) next = Math.min(next, reuseMs);
    return next;
  }

  /** Another configuration: what it takes or gives is nobody's flap. */
  reload(instances: readonly VrrpInstance[]): void {
    for (const [name, state] of [...this.#states])
      if (instances.some((instance) => instance.name === name)) this.#states.set(name, { ...state, level: undefined });
      else this.#states.delete(name);
  }

  forget(name: string): void {
    this.#states.delete(name);
  }

  /** The priority that is left to a router. */
  priorityOf({ instance, assessment, damped, atMs }: DampedHealth): number {
    const { name, priority, flapDamping: rules } = instance;
    if (rules === undefined) {
      this.#states.delete(name);
      return assessment.priority;
    }
    const before = this.#states.get(name) ?? NEW_FLAPS;
    if (damped === undefined) return clampPriority(assessment.priority, heldBack(before));
    const level = damped.faults.length > 0 ? FAULT_LEVEL : damped.priority - priority;
    const state = stepFlaps(rules, before, level, atMs);
    this.#states.set(name, state);
    const left = clampPriority(assessment.priority, heldBack(state));
    this.#tell(name, before, state, { left: heldPriority(priority, state), atMs });
    return left;
  }

  #tell(
    name: string,
    before: FlapState,
    { heldLevel, penalty, reuseMs }: FlapState,
    { left, atMs }: { readonly left: number; readonly atMs: number },
  ): void {
    if (heldLevel === before.heldLevel && (heldLevel === undefined || reuseMs === before.reuseMs)) return;
    const text =
      heldLevel === undefined
        ? "quiet since then, ranks as its health allows again"
        : `its health flaps (penalty ${Math.round(penalty)}), ranks at ${left} at most for ${Math.ceil((reuseMs - atMs) / 1000)} s`;
    this.#log.write("notice", `(${name}) Flap damping: ${text}`);
  }

  report({ name, priority, flapDamping }: VrrpInstance, nowMs: number): FlapReport | undefined {
    const state = this.#states.get(name);
    if (flapDamping === undefined || state === undefined) return undefined;
    const isDamped = state.heldLevel !== undefined;
    return {
      penalty: Math.round(penaltyAt(flapDamping, state, nowMs)),
      heldPriority: isDamped ? heldPriority(priority, state) : undefined,
      endsInMs: isDamped ? Math.max(0, state.reuseMs - nowMs) : undefined,
    };
  }
}

function heldPriority(priority: number, { heldLevel = 0 }: FlapState): number {
  return clampPriority(priority, heldLevel);
}
