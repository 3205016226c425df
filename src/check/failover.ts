/**
 * What a pair does when something dies, and how long clients wait: worked out from the timers (RFC 9568 §6, with
 * keepalived's behaviour as measured) and from what the check scripts do.
 */
import { compareIp } from "../base/ip.ts";
import type { Track, VrrpInstance } from "../conf/keepalived/config.ts";
import { type CheckedNode, type InstancePair, type Result, type ScriptRuns, trackedScripts } from "./subject.ts";

/** A span of milliseconds. */
export interface Span {
  readonly minMs: number;
  readonly maxMs: number;
}

/** What follows an event. */
export type Consequence =
  | { readonly kind: "moves"; readonly span: Span; readonly how: string }
  | { readonly kind: "stays"; readonly reason: StayReason; readonly how: string }
  | { readonly kind: "unknown"; readonly how: string };

/** Why the address does not move although the service is dead. */
export type StayReason =
  | "untracked"
  | "always-failing"
  | "never-noticed"
  | "priority-too-high"
  | "nopreempt"
  | "owner"
  | "same-on-both";

/** Who has the address when all is well, and who takes it. */
export interface Roles {
  readonly active: VrrpInstance;
  readonly activeNode: CheckedNode;
  readonly backup: VrrpInstance;
  readonly backupNode: CheckedNode;
}

/** One pair of instances, explained. */
export interface Outlook {
  readonly roles: Roles;
  /** Effective priorities while the service runs on both. */
  readonly activePriority: number;
  readonly backupPriority: number;
  readonly gracefulStop: Span;
  readonly nodeDies: Span;
  /** What the active node serves, as far as the files tell; undefined: nothing is known of a service. */
  readonly service: string | undefined;
  readonly serviceDies: Consequence;
  /** undefined: the address stays where it went. */
  readonly returnsAfter: Span | undefined;
}

/** Skew: the higher the priority, the shorter. */
export function skewMs({ version, advertIntervalMs }: VrrpInstance, priority: number): number {
  return ((256 - priority) * (version === 2 ? 1000 : advertIntervalMs)) / 256;
}

/** How long a backup waits for an advert. */
export function downMs(instance: VrrpInstance, priority: number): number {
  return instance.downTimerAdverts * instance.advertIntervalMs + skewMs(instance, priority);
}

/** The priority that counts, from what the scripts say. keepalived: clamped to 1 … 254. */
export function effectivePriority(node: CheckedNode, instance: VrrpInstance, moment: keyof ScriptRuns): number {
  if (instance.priority === 255) return 255;
  let priority = instance.priority;
  for (const { checked, weight, reverse } of trackedScripts(node, instance)) {
    const verdict = checked.runs?.[moment].verdict;
    if (verdict === undefined) {
      // Unknown: as a script should be.
      if (weight > 0 !== reverse && moment === "whileUp") priority += Math.abs(weight);
      continue;
    }
    const isUp = (verdict === "success") !== reverse;
    if (weight > 0 && isUp) priority += weight;
    if (weight < 0 && !isUp) priority += weight;
  }
  return Math.min(254, Math.max(1, priority));
}

/** The whole outlook. */
export function outlookOf(pair: InstancePair): Outlook {
  const roles = rolesOf(pair);
  const { active, activeNode, backup, backupNode } = roles;
  const activePriority = effectivePriority(activeNode, active, "whileUp");
  const backupPriority = effectivePriority(backupNode, backup, "whileUp");
  const skew = skewMs(backup, backupPriority);
  const down = downMs(backup, backupPriority);
  const nodeDies = { minMs: down - backup.advertIntervalMs, maxMs: down };
  const back = downMs(active, activePriority) + active.preemptDelayMs;
  return {
    roles,
    activePriority,
    backupPriority,
    gracefulStop: { minMs: skew, maxMs: skew },
    nodeDies,
    service: serviceOf(roles),
    serviceDies: serviceDies(roles, activePriority, backupPriority, nodeDies, skew),
    returnsAfter: active.nopreempt ? undefined : { minMs: back, maxMs: back },
  };
}

/** The higher effective priority is active; with equal ones the higher address. */
function rolesOf({ a, b, nodeA, nodeB }: InstancePair): Roles {
  const pa = effectivePriority(nodeA, a, "whileUp");
  const pb = effectivePriority(nodeB, b, "whileUp");
  const byAddress =
    a.sourceAddress !== undefined && b.sourceAddress !== undefined && a.sourceAddress.length === b.sourceAddress.length
      ? compareIp(a.sourceAddress, b.sourceAddress)
      : 0;
  const isA = pa === pb ? byAddress >= 0 : pa > pb;
  return isA
    ? { active: a, activeNode: nodeA, backup: b, backupNode: nodeB }
    : { active: b, activeNode: nodeB, backup: a, backupNode: nodeA };
}

/** The tracked program, else nginx when its configuration was given. */
function serviceOf(roles: Roles): string | undefined {
  const [script] = trackedScripts(roles.activeNode, roles.active);
  if (script !== undefined) return script.checked.service;
  const [process] = roles.active.tracks.processes;
  const tracked = roles.activeNode.config.trackProcesses.find(({ name }) => name === process?.name);
  return tracked?.process ?? (roles.activeNode.nginx === undefined ? undefined : "nginx");
}

/** What the active node itself notices of a dead service. */
interface Notice {
  /** It moves without any comparison of priorities. */
  readonly moves: Consequence | undefined;
  /** What is left of its priority. */
  readonly priority: number;
  /** How long until the priority has fallen; undefined: nothing was noticed. */
  readonly detection: Span | undefined;
  readonly isUnknown: boolean;
  readonly isAlwaysFailing: boolean;
}

/** What happens when the service on the active node dies and can't be started again. */
function serviceDies(
  roles: Roles,
  activePriority: number,
  backupPriority: number,
  nodeDies: Span,
  backupSkewMs: number,
): Consequence {
  const { active, activeNode, backup, backupNode } = roles;
  if (active.priority === 255 && active.where.has("track_script"))
    return { kind: "stays", reason: "owner", how: "priority 255 owns the address: no check can lower it" };
  if (trackedScripts(activeNode, active).length === 0 && trackedProcesses(roles).length === 0)
    return { kind: "stays", reason: "untracked", how: "nothing in the configuration looks at a service" };
  const notice = noticed(roles, activePriority, backupSkewMs);
  if (notice.moves !== undefined) return notice.moves;
  const { detection, isUnknown, isAlwaysFailing, priority } = notice;
  if (detection === undefined && isUnknown) return { kind: "unknown", how: "the check script could not be understood" };
  if (detection === undefined)
    return isAlwaysFailing
      ? { kind: "stays", reason: "always-failing", how: "the check fails all the time, so nothing changes" }
      : { kind: "stays", reason: "never-noticed", how: "the check succeeds all the same" };
  // A backup of the same priority obeys, whatever its address (RFC 9568 §6.4.2).
  if (priority >= backupPriority)
    return {
      kind: "stays",
      reason: "priority-too-high",
      how: `the priority falls to ${priority}, which is not below the other node's ${backupPriority}`,
    };
  if (backup.nopreempt)
    return {
      kind: "stays",
      reason: "nopreempt",
      how: `${backupNode.label} has nopreempt: it waits for as long as it hears adverts, however low their priority`,
    };
  const wait = backup.preemptDelayMs;
  return moves(
    { minMs: detection.minMs + nodeDies.minMs + wait, maxMs: detection.maxMs + nodeDies.maxMs + wait },
    `the check lowers the priority to ${priority}, below ${backupPriority}`,
  );
}

/** Tracked processes that must run. */
function trackedProcesses({ active }: Roles): readonly Track[] {
  return active.tracks.processes.filter(({ weightReverse }) => !weightReverse);
}

/** Goes through all that the active node tracks. */
function noticed(roles: Roles, activePriority: number, backupSkewMs: number): Notice {
  let priority = activePriority;
  let detection: Span | undefined;
  let isUnknown = false;
  let isAlwaysFailing = false;
  const lower = (weight: number, span: Span): void => {
    priority = Math.max(1, priority - Math.abs(weight));
    if (detection === undefined || span.maxMs > detection.maxMs) detection = span;
  };
  const done = (found?: Consequence): Notice => ({ moves: found, priority, detection, isUnknown, isAlwaysFailing });
  for (const { weight } of trackedProcesses(roles)) {
    const skew = { minMs: backupSkewMs, maxMs: backupSkewMs };
    if (weight === 0) return done(moves(skew, "the process is missed at once: fault"));
    lower(weight, { minMs: 0, maxMs: 0 });
  }
  for (const { checked, weight, reverse } of trackedScripts(roles.activeNode, roles.active)) {
    const { runs, script } = checked;
    if (runs === undefined || runs.whileBroken.verdict === undefined) isUnknown = true;
    if (runs === undefined) continue;
    const { whileUp, whileBroken } = runs;
    if (whileBroken.stopsKeepalived) {
      const atMs = stopSeconds(whileBroken) * 1000;
      const span = { minMs: atMs + backupSkewMs, maxMs: script.intervalMs + atMs + backupSkewMs };
      return done(moves(span, "the script stops keepalived, which says goodbye"));
    }
    if (whileUp.verdict === "failure") isAlwaysFailing = true;
    if (whileUp.verdict === "failure" || whileBroken.verdict !== "failure" || reverse) continue;
    const minMs = whileBroken.seconds * 1000 + (script.fall - 1) * script.intervalMs;
    const span = { minMs, maxMs: minMs + script.intervalMs };
    if (weight !== 0) lower(weight, span);
    else
      return done(
        moves({ minMs: span.minMs + backupSkewMs, maxMs: span.maxMs + backupSkewMs }, "the check fails: fault"),
      );
  }
  return done();
}

function moves(span: Span, how: string): Consequence {
  return { kind: "moves", span, how };
}

function stopSeconds(result: Result): number {
  return Math.max(
    ...result.outcomes.flatMap(({ deeds }) =>
      deeds.filter(({ kind }) => kind === "stop-keepalived").map(({ atSeconds }) => atSeconds),
    ),
  );
}

/** `0.65 s`, or `2.65 to 3.65 s`. */
export function printSpan({ minMs, maxMs }: Span): string {
  const seconds = (ms: number): string =>
    ms < 995 ? `${Math.round(ms)} ms` : `${Number((ms / 1000).toFixed(ms < 9950 ? 2 : 1))} s`;
  if (Math.abs(maxMs - minMs) < 5) return seconds(maxMs);
  return `${seconds(minMs)} to ${seconds(maxMs)}`;
}
