/** The faults of a what-if: which there are, what each does to a world, and when it is noticed. */
import type { BfdInstance } from "../../conf/keepalived/config.ts";
import { isRanked, UNSERVED_MS } from "../../vrrp/unserved.ts";
import type { Span } from "../failover.ts";
import { trackedScripts } from "../subject.ts";
import { isSessionUp } from "./assess.ts";
import {
  type Condition,
  changed,
  linksOf,
  neighborOf,
  scriptKey,
  sessionKey,
  sessionsOf,
  type Unit,
  type UnitNode,
  upstreamsOf,
  WEB_SERVER,
  type World,
  webServerKey,
} from "./world.ts";

/** The kinds, in the order in which they are told. */
export const FAULT_KINDS = [
  "node-dies",
  "vrrp-dies",
  "service-dies",
  "upstream-lost",
  "link-down",
  "cut-off",
  "apart",
  "stop",
  "reload-lower",
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export interface Fault {
  readonly kind: FaultKind;
  /** Index of the node. */
  readonly node: number;
  /** The service, upstream or interface. */
  readonly what: string;
}

/** A part of what follows from a fault, and when: `atMs` counts from the fault. */
export interface Stage {
  readonly atMs: Span;
  readonly apply: (world: World) => World;
  /** A router that ends here says goodbye. */
  readonly isGraceful: boolean;
  /** A BFD session that expires with this stage: a backup need not wait for adverts of this node any more. */
  readonly expired: { readonly observer: number; readonly neighbor: number; readonly detectionMs: number } | undefined;
}

/** A process that is started again: keepalived's at once, ours after what Node takes to start. */
const RESTART: Readonly<Record<Unit["program"], Span>> = {
  tandem: { minMs: 0, maxMs: 1500 },
  keepalived: { minMs: 0, maxMs: 100 },
};
const NOW: Span = { minMs: 0, maxMs: 0 };
const US_PER_MS = 1000;

/** Every single fault that can happen to a unit. */
export function faultsOf(unit: Unit): readonly Fault[] {
  const faults = unit.nodes.flatMap((node, index): Fault[] =>
    FAULT_KINDS.flatMap((kind) => subjectsOf(unit, node, index, kind).map((what) => ({ kind, node: index, what }))),
  );
  return faults;
}

/** What of a node a kind of fault can befall; [""] for the node itself. */
function subjectsOf(unit: Unit, node: UnitNode, index: number, kind: FaultKind): readonly string[] {
  const isAlone = unit.nodes.length < 2;
  switch (kind) {
    case "service-dies":
      return node.services;
    case "upstream-lost":
      return upstreamsOf(node);
    case "link-down":
      return linksOf(node);
    case "apart":
      // Two nodes are apart from each other: that is one fault.
      return isAlone || (unit.nodes.length === 2 && index > 0) ? [] : [""];
    case "reload-lower":
      return isAlone || node.instances.some(({ priority }) => priority === 1) ? [] : [""];
    default:
      return [""];
  }
}

/** False when the fault can't happen any more. */
export function isPossible(world: World, { kind, node, what }: Fault): boolean {
  const condition = world.conditions[node] as Condition;
  if (!condition.isPowered) return false;
  switch (kind) {
    case "node-dies":
      return true;
    case "service-dies":
      return !condition.deadServices.has(what);
    case "upstream-lost":
      return !condition.lostUpstreams.has(what);
    case "link-down":
      return !condition.downLinks.has(what);
    case "cut-off":
      return !condition.isCutOff;
    case "apart":
      return !condition.isApart && condition.runsVrrp;
    case "reload-lower":
      return condition.runsVrrp && condition.priority === undefined;
    case "vrrp-dies":
    case "stop":
      return condition.runsVrrp;
  }
}

/** What follows, the fault itself first. */
export function stagesOf(unit: Unit, before: World, fault: Fault): readonly Stage[] {
  const scripts = hideScripts(unit, fault);
  const workers = hideWorkers(unit, fault);
  const sessions = hideSessions(unit, before, fault);
  const keys = [...scripts.keys, ...workers.keys, ...sessions.keys];
  const first: Stage = {
    atMs: NOW,
    apply: (world) => strike({ ...world, unnoticed: new Set([...world.unnoticed, ...keys]) }, fault),
    isGraceful: isGraceful(unit, fault),
    expired: undefined,
  };
  const later = [...scripts.stages, ...workers.stages, ...sessions.stages];
  if (fault.kind === "vrrp-dies")
    later.push(stage(RESTART[unit.program], (world) => changed(world, fault.node, { runsVrrp: true })));
  return [first, ...later];
}

function stage(atMs: Span, apply: Stage["apply"], isGraceful = false): Stage {
  return { atMs, apply, isGraceful, expired: undefined };
}

function isGraceful({ program }: Unit, { kind }: Fault): boolean {
  return kind === "stop" || (kind === "vrrp-dies" && program === "tandem");
}

function strike(world: World, { kind, node, what }: Fault): World {
  const { deadServices, downLinks, lostUpstreams } = world.conditions[node] as Condition;
  switch (kind) {
    case "node-dies":
      return changed(world, node, { isPowered: false, runsVrrp: false });
    case "vrrp-dies":
      return changed(world, node, { runsVrrp: false });
    case "stop":
      return changed(world, node, { runsVrrp: false, isPowered: false });
    case "service-dies":
      return changed(world, node, { deadServices: new Set([...deadServices, what]) });
    case "upstream-lost":
      return changed(world, node, { lostUpstreams: new Set([...lostUpstreams, what]) });
    case "link-down":
      return changed(world, node, { downLinks: new Set([...downLinks, what]) });
    case "cut-off":
      return changed(world, node, { isCutOff: true });
    case "apart":
      return changed(world, node, { isApart: true });
    case "reload-lower":
      return changed(world, node, { priority: 1 });
  }
}

/** What is not known at first, and the stages in which it becomes known. */
interface Hidden {
  readonly keys: readonly string[];
  readonly stages: readonly Stage[];
}

/** Check scripts take their time: until then their nodes know nothing. */
function hideScripts(unit: Unit, { kind, node, what }: Fault): Hidden {
  if (kind !== "service-dies") return { keys: [], stages: [] };
  const { node: checkedNode, instances } = unit.nodes[node] as UnitNode;
  const scripts = new Map(
    instances.flatMap((one) => trackedScripts(checkedNode, one)).map(({ checked }) => [checked.script.name, checked]),
  );
  const keys: string[] = [];
  const stages: Stage[] = [];
  for (const [name, { service, runs, script }] of scripts) {
    if (service !== what) continue;
    const key = scriptKey(node, name);
    keys.push(key);
    const broken = runs?.whileBroken;
    const runMs = (broken?.seconds ?? 0) * 1000;
    if (broken?.stopsKeepalived === true) {
      const stops = (world: World): World => changed(world, node, { runsVrrp: false });
      stages.push(stage({ minMs: runMs, maxMs: runMs + script.intervalMs }, stops, true));
      continue;
    }
    const minMs = runMs + (script.fall - 1) * script.intervalMs;
    const learn = (world: World): World => ({ ...world, unnoticed: without(world.unnoticed, key) });
    // How long a script runs that can't be read is not known, except that it is ended at its time-out; as one that waits for an answer: the
    // supervisor of `tandem up` keeps the sockets of a web server that is dead, which lets clients in and says nothing.
    const mayHang = runs === undefined || (broken?.asks === true && unit.program === "tandem" && what === WEB_SERVER);
    const maxMs = minMs + script.intervalMs + (mayHang ? Math.max(0, script.timeoutMs - runMs) : 0);
    stages.push(stage({ minMs, maxMs }, learn));
  }
  return { keys, stages };
}

/** The supervisor of `tandem up` gives workers some time to come back. */
function hideWorkers({ program, nodes }: Unit, { kind, node, what }: Fault): Hidden {
  const { instances = [], group } = nodes[node] ?? {};
  const isMissed = program === "tandem" && !instances.every((instance) => isRanked(instance, group));
  if (!isMissed || kind !== "service-dies" || what !== WEB_SERVER) return { keys: [], stages: [] };
  const key = webServerKey(node);
  const learn = (world: World): World => ({ ...world, unnoticed: without(world.unnoticed, key) });
  return { keys: [key], stages: [stage({ minMs: UNSERVED_MS, maxMs: UNSERVED_MS }, learn)] };
}

function without(keys: ReadonlySet<string>, key: string): ReadonlySet<string> {
  return new Set([...keys].filter((one) => one !== key));
}

/** Sessions that were up and are no longer: each side notices after its detection time, or at once when it is told. */
function hideSessions(unit: Unit, before: World, fault: Fault): Hidden {
  const keys: string[] = [];
  const stages: Stage[] = [];
  // keepalived has another process for them.
  if (fault.kind === "vrrp-dies" && unit.program === "keepalived") return { keys, stages };
  const after = strike(before, fault);
  for (const [observer, node] of unit.nodes.entries())
    for (const session of sessionsOf(node)) {
      const { name } = session;
      if (!isSessionUp(unit, before, observer, name) || isSessionUp(unit, after, observer, name)) continue;
      if (fault.kind === "stop") continue;
      const neighbor = neighborOf(unit, observer, session);
      const detectionMs = detectionMsOf(unit, observer, session);
      const key = sessionKey(observer, name);
      keys.push(key);
      stages.push({
        atMs: { minMs: detectionMs * (1 - 1 / multiplierOf(unit, observer, session)), maxMs: detectionMs },
        apply: (world) => ({ ...world, unnoticed: without(world.unnoticed, key) }),
        isGraceful: false,
        expired: neighbor === undefined ? undefined : { observer, neighbor, detectionMs },
      });
    }
  return { keys, stages };
}

/** RFC 5880 §6.8.4: the neighbour's multiplier, times the slower of what it sends and what we can take. */
function detectionMsOf(unit: Unit, observer: number, session: BfdInstance): number {
  const theirs = answerTo(unit, observer, session);
  const intervalUs = Math.max(session.minRxUs, theirs?.minTxUs ?? session.minTxUs);
  return (multiplierOf(unit, observer, session) * intervalUs) / US_PER_MS;
}

function multiplierOf(unit: Unit, observer: number, session: BfdInstance): number {
  return (answerTo(unit, observer, session) ?? session).multiplier;
}

/** The neighbour's session with us. */
function answerTo(unit: Unit, observer: number, session: BfdInstance): BfdInstance | undefined {
  const neighbor = neighborOf(unit, observer, session);
  if (neighbor === undefined) return undefined;
  return unit.nodes[neighbor]?.node.config.bfds.find((one) => neighborOf(unit, neighbor, one) === observer);
}

/** `node-a dies`, for people. */
export function printFault(unit: Unit, { kind, node, what }: Fault): string {
  const label = (index: number): string => unit.nodes[index]?.node.label ?? "";
  const who = label(node);
  switch (kind) {
    case "node-dies":
      return `${who} dies`;
    case "vrrp-dies":
      return `the VRRP process of ${who} dies`;
    case "service-dies":
      return `${what} on ${who} dies for good`;
    case "upstream-lost":
      return `${who} loses all peers of upstream ${what}`;
    case "link-down":
      return `link ${what} of ${who} goes down`;
    case "cut-off":
      return `the network cuts ${who} off, its link stays up`;
    case "apart":
      return unit.nodes.length === 2
        ? `${who} and ${label(1 - node)} do not hear each other`
        : `${who} and the other nodes do not hear each other`;
    case "stop":
      return `${who} is stopped in good order`;
    case "reload-lower":
      return `${who} is reloaded with priority 1`;
  }
}
