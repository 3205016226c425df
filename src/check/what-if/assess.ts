/** What the router of a node makes of a world: its priority and its faults, from the same code that a running node uses. */
import type { VrrpInstance } from "../../conf/keepalived/config.ts";
import { neededLinksOf } from "../../vrrp/links.ts";
import { assess, type Observations, type ScriptState, type UpstreamHealth } from "../../vrrp/track.ts";
import { isRanked, UNSERVED } from "../../vrrp/unserved.ts";
import {
  type Condition,
  hears,
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

/** A unit on one node. */
export interface Standing {
  /** Effective priorities, of each instance. */
  readonly priorities: readonly number[];
  /** What holds it in fault, a phrase each. */
  readonly faults: readonly string[];
}

/** How many peers an upstream has in a what-if: all of them are well, or none is. */
const PEERS = 1;

/** What a node knows and ranks as; the first look at it must have no unnoticed things. */
export function standingOf(unit: Unit, world: World, index: number): Standing {
  const node = unit.nodes[index] as UnitNode;
  const condition = world.conditions[index] as Condition;
  const seen = observe(unit, world, index);
  const priorities: number[] = [];
  const faults: string[] = [];
  for (const instance of node.instances) {
    const asLoaded = condition.priority === undefined ? instance : { ...instance, priority: condition.priority };
    const own = linkFaultsOf(asLoaded, condition);
    if (isUnserved(unit, world, index) && !isRanked(asLoaded, node.group)) own.push(UNSERVED);
    const found = assess(asLoaded, node.group, node.node.config, seen, own);
    priorities.push(found.priority);
    faults.push(...found.faults.filter((fault) => !faults.includes(fault)));
  }
  return { priorities, faults };
}

/** The supervisor of `tandem up` knows that no worker accepts. */
function isUnserved({ program }: Unit, { conditions, unnoticed }: World, index: number): boolean {
  const isDead = conditions[index]?.deadServices.has(WEB_SERVER) === true;
  return program === "tandem" && isDead && !unnoticed.has(webServerKey(index));
}

function linkFaultsOf(instance: VrrpInstance, { downLinks }: Condition): string[] {
  return neededLinksOf(instance)
    .filter((name) => downLinks.has(name))
    .map((name) => `interface ${name} is down`);
}

function observe(unit: Unit, world: World, index: number): Observations {
  const node = unit.nodes[index] as UnitNode;
  const condition = world.conditions[index] as Condition;
  const { config } = node.node;
  const upInterfaces = new Set(linksOf(node).filter((name) => !condition.downLinks.has(name)));
  const processCounts = new Map<string, number>();
  for (const { name, process, quorum, quorumMax } of config.trackProcesses) {
    const running = quorum <= quorumMax ? quorum : 0;
    processCounts.set(name, condition.deadServices.has(process) ? 0 : running);
  }
  const fileValues = new Map(config.trackFiles.map(({ name, initialise }) => [name, initialise?.value ?? 0]));
  const upstreams = new Map<string, UpstreamHealth>();
  for (const name of upstreamsOf(node))
    upstreams.set(name, { healthy: condition.lostUpstreams.has(name) ? 0 : PEERS, total: PEERS });
  const upSessions = new Set<string>();
  for (const session of sessionsOf(node))
    if (world.unnoticed.has(sessionKey(index, session.name)) || isSessionUp(unit, world, index, session.name))
      upSessions.add(session.name);
  return {
    scripts: scriptStates(node, condition, world, index),
    upInterfaces,
    processCounts,
    fileValues,
    upSessions,
    upstreams,
  };
}

/** A script that can't be understood counts as one that does what it is there for. */
function scriptStates(node: UnitNode, condition: Condition, world: World, index: number): Map<string, ScriptState> {
  const states = new Map<string, ScriptState>();
  for (const { script, service, runs } of node.node.scripts) {
    const isDead = condition.deadServices.has(service) && !world.unnoticed.has(scriptKey(index, script.name));
    const verdict = isDead ? (runs?.whileBroken.verdict ?? "failure") : (runs?.whileUp.verdict ?? "success");
    states.set(script.name, { health: verdict === "success" ? "up" : "down", streak: 0 });
  }
  return states;
}

/** A session needs the neighbour's own, and the way to it. */
export function isSessionUp(unit: Unit, world: World, index: number, name: string): boolean {
  const session = sessionsOf(unit.nodes[index] as UnitNode).find((one) => one.name === name);
  if (session === undefined) return false;
  const neighbor = neighborOf(unit, index, session);
  const condition = world.conditions[index] as Condition;
  // Somebody else, who is well: only our own link can be wrong.
  if (neighbor === undefined)
    return (
      !condition.isCutOff &&
      unit.nodes[index]?.instances.every((one) => !condition.downLinks.has(one.interface ?? "")) === true
    );
  const answers = unit.nodes[neighbor]?.node.config.bfds ?? [];
  const isMutual = answers.some((one) => neighborOf(unit, neighbor, one) === index);
  return isMutual && hears({ ...unit, isSplit: false }, world, index, neighbor, 0);
}
