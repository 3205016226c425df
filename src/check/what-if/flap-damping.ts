/** What flap damping will do to a unit whose health keeps coming and going; a what-if of single faults does not show it. */
import { FALL_PENALTY } from "../../conf/keepalived/flap-damping.ts";
import { clampPriority } from "../../vrrp/timing.ts";
import { upstreamEffect } from "../../vrrp/track.ts";
import { downMs, printSpan } from "../failover.ts";
import type { Unit, UnitNode } from "./world.ts";

/** A node that is damped. Times are milliseconds. */
export interface Damping {
  readonly node: string;
  readonly scope: "all" | "upstreams";
  /** This fall of several in quick succession damps. */
  readonly fall: number;
  /** What it holds back is given back so long behind that fall; behind a long series, behind its last fall. */
  readonly holdsMs: number;
  readonly maxMs: number;
  /** It ranks at this while it is damped, at worst. */
  readonly priority: number;
  /** How long it waits then for a partner that has died, at most. */
  readonly takesMs: number;
}

/** Of each node with damping; none with keepalived, which has no such thing. */
export function dampingsOf({ nodes, program }: Unit): readonly Damping[] {
  return program === "tandem" ? nodes.flatMap((node) => dampingOf(node) ?? []) : [];
}

function dampingOf({ node, instances, group }: UnitNode): Damping | undefined {
  const [instance] = instances;
  const rules = instance?.flapDamping;
  if (instance === undefined || rules === undefined) return undefined;
  const upstreams = [...instance.tracks.upstreams, ...(group?.tracks.upstreams ?? [])];
  if (rules.scope === "upstreams" && upstreams.length === 0) return undefined;
  const { halfLifeMs, suppress, reuse, maxSuppressMs } = rules;
  const fall = Math.floor(suppress / FALL_PENALTY) + 1;
  const isFault = rules.scope === "all" || upstreams.some(({ weight }) => weight === 0);
  const lost = { healthy: 0, total: 1 };
  const taken = upstreams.reduce((sum, track) => sum + upstreamEffect(track, lost), 0);
  const priority = isFault ? 1 : clampPriority(instance.priority, Math.min(0, taken));
  return {
    node: node.label,
    scope: rules.scope,
    fall,
    holdsMs: Math.min(maxSuppressMs, halfLifeMs * Math.log2((fall * FALL_PENALTY) / reuse)),
    maxMs: maxSuppressMs,
    priority,
    takesMs: downMs(instance, priority),
  };
}

/** A sentence without full stop. */
export function printDamping({ node, scope, fall, holdsMs, maxMs, priority, takesMs }: Damping): string {
  const of = scope === "all" ? "its health" : "its upstreams";
  const ms = (time: number): string => printSpan({ minMs: time, maxMs: time });
  const most = maxMs > holdsMs ? ` (${ms(maxMs)} behind the last fall of a long series)` : "";
  return (
    `${node}: what fall number ${fall} of ${of} in quick succession takes from the priority is held back for ${ms(holdsMs)}${most}; ` +
    `so long it ranks at ${priority} at worst, and takes over from a partner that dies within ${ms(takesMs)}`
  );
}
