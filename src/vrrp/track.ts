/**
 * What a node watches, and what that makes of a router: an effective priority and a list of faults. Weight 0: a failure
 * is a fault, with `reverse` a success is. Weight > 0: added while it is good; weight < 0: added (so subtracted) while it is
 * bad; `reverse` turns the sign of what is added. keepalived's counterpart: vrrp_track.c, vrrp_set_effective_priority.
 */
import type {
  KeepalivedConfig,
  SyncGroup,
  Track,
  TrackFile,
  Tracks,
  VrrpInstance,
  VrrpScript,
  VrrpTrackProcess,
} from "../conf/keepalived/config.ts";
import { PRIORITY_OWNER } from "../wire/vrrp/advert.ts";
import { clampPriority } from "./timing.ts";

/** A track_file below this is a fault, whatever its weight (keepalived). */
const FILE_FAULT = -253;

/** What is known of one script. */
export interface ScriptState {
  /** unknown: no result yet, and no init_fail. */
  readonly health: "unknown" | "up" | "down";
  /** Results in a row that contradict `health`. */
  readonly streak: number;
}

/** Before the first run. */
export function initialScript(script: Pick<VrrpScript, "initFail">): ScriptState {
  return { health: script.initFail ? "down" : "unknown", streak: 0 };
}

/** One result more: `rise` successes or `fall` failures in a row turn the health; the very first result does it alone. */
export function stepScript(
  script: Pick<VrrpScript, "rise" | "fall">,
  state: ScriptState,
  succeeded: boolean,
): ScriptState {
  const now = succeeded ? "up" : "down";
  if (state.health === "unknown") return { health: now, streak: 0 };
  if (state.health === now) return { health: now, streak: 0 };
  const streak = state.streak + 1;
  return streak >= (succeeded ? script.rise : script.fall) ? { health: now, streak: 0 } : { ...state, streak };
}

/** Everything that is known about the watched things, by name. */
export interface Observations {
  readonly scripts: ReadonlyMap<string, ScriptState>;
  /** Interfaces that are up. */
  readonly upInterfaces: ReadonlySet<string>;
  /** How many processes a vrrp_track_process matches; missing: not counted yet. */
  readonly processCounts: ReadonlyMap<string, number>;
  /** Numbers in track files; missing: unreadable, which counts as 0. */
  readonly fileValues: ReadonlyMap<string, number>;
  /** BFD sessions that are up. */
  readonly upSessions: ReadonlySet<string>;
  /** How the peers of upstreams are; missing: nobody has told yet. */
  readonly upstreams: ReadonlyMap<string, UpstreamHealth>;
}

/** How many peers an upstream has that it may use, and how many of them get requests now. */
export interface UpstreamHealth {
  readonly healthy: number;
  readonly total: number;
}

export interface Assessment {
  readonly priority: number;
  readonly faults: readonly string[];
  /** Something with weight 0 has no result yet: an instance that has not started waits for it. */
  readonly isPending: boolean;
}

type Watched = Pick<KeepalivedConfig, "trackProcesses" | "trackFiles">;

interface Sum {
  adjustment: number;
  faults: string[];
  isPending: boolean;
}

/** What all observations mean for an instance. `linkFaults`: what is wrong with its own interface and addresses. */
export function assess(
  instance: Pick<VrrpInstance, "priority" | "tracks">,
  group: Pick<SyncGroup, "tracks" | "trackingWeight"> | undefined,
  watched: Watched,
  seen: Observations,
  linkFaults: readonly string[],
): Assessment {
  const sum: Sum = { adjustment: 0, faults: [...linkFaults], isPending: false };
  // keepalived: in a group, weights of a single member would tear the members apart, so they do not count.
  const weighted = group === undefined || group.trackingWeight;
  const isOwner = instance.priority === PRIORITY_OWNER;
  add(sum, instance.tracks, watched, seen, weighted && !isOwner);
  if (group !== undefined) add(sum, group.tracks, watched, seen, !isOwner);
  return { priority: clampPriority(instance.priority, sum.adjustment), faults: sum.faults, isPending: sum.isPending };
}

function add(sum: Sum, tracks: Tracks, watched: Watched, seen: Observations, withWeights: boolean): void {
  const count = (track: Track, isGood: boolean | undefined, fault: string): void => {
    if (track.weight !== 0 && !withWeights) return;
    if (isGood === undefined) {
      if (track.weight === 0) sum.isPending = true;
      return;
    }
    if (track.weight === 0) {
      if (isGood === track.weightReverse) sum.faults.push(fault);
    } else if (track.weight > 0 === isGood) sum.adjustment += track.weightReverse ? -track.weight : track.weight;
  };
  for (const track of tracks.scripts) {
    const health = seen.scripts.get(track.name)?.health ?? "unknown";
    count(track, health === "unknown" ? undefined : health === "up", `script ${track.name} failed`);
  }
  for (const track of tracks.interfaces)
    count(track, seen.upInterfaces.has(track.name), `interface ${track.name} is down`);
  for (const track of tracks.processes) {
    const rule = watched.trackProcesses.find(({ name }) => name === track.name);
    const running = seen.processCounts.get(track.name);
    if (rule === undefined) continue;
    count(
      track,
      running === undefined ? undefined : isQuorate(rule, running),
      `process ${track.name}: ${running} running`,
    );
  }
  for (const track of tracks.bfds)
    count(
      track,
      seen.upSessions.has(track.name),
      `BFD session ${track.name} is ${track.weightReverse ? "up" : "down"}`,
    );
  for (const track of tracks.upstreams) addUpstream(sum, track, seen.upstreams.get(track.name), withWeights);
  for (const track of tracks.files) addFile(sum, track, watched.trackFiles, seen, withWeights);
}

function isQuorate(rule: Pick<VrrpTrackProcess, "quorum" | "quorumMax">, running: number): boolean {
  return running >= rule.quorum && running <= rule.quorumMax;
}

/** A file's number times its weight is added; with weight 0 every number but 0 is a fault. */
function addFile(sum: Sum, track: Track, files: readonly TrackFile[], seen: Observations, withWeights: boolean): void {
  if (!files.some(({ name }) => name === track.name)) return;
  const value = seen.fileValues.get(track.name) ?? 0;
  if (track.weight === 0) {
    if ((value !== 0) !== track.weightReverse) sum.faults.push(`file ${track.name} holds ${value}`);
    return;
  }
  if (!withWeights) return;
  const product = value * track.weight * (track.weightReverse ? -1 : 1);
  if (product < FILE_FAULT) sum.faults.push(`file ${track.name} holds ${value}`);
  else sum.adjustment += product;
}

/**
 * What an upstream adds to the priority: a weight above 0 times the share of its peers that are healthy, or a weight below 0
 * times the share that are not; rounded, halves away from zero. `reverse` exchanges the shares.
 */
export function upstreamEffect(track: Pick<Track, "weight" | "weightReverse">, health: UpstreamHealth): number {
  const share = health.total === 0 ? 0 : health.healthy / health.total;
  const good = track.weightReverse ? 1 - share : share;
  const { weight } = track;
  return Math.sign(weight) * Math.round(Math.abs(weight) * (weight > 0 ? good : 1 - good));
}

/** With weight 0 an upstream without a healthy peer is a fault. */
function addUpstream(sum: Sum, track: Track, health: UpstreamHealth | undefined, withWeights: boolean): void {
  if (track.weight !== 0) {
    if (withWeights && health !== undefined) sum.adjustment += upstreamEffect(track, health);
    return;
  }
  if (health === undefined) sum.isPending = true;
  else if (health.healthy > 0 === track.weightReverse)
    sum.faults.push(`upstream ${track.name}: ${health.healthy} of ${health.total} peers are healthy`);
}
