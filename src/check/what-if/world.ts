/**
 * What a what-if computes on: instances that change roles together, on every node that has them, and a world: what is
 * wrong with each node, what of it has been noticed, and who holds the addresses.
 */
import { equalBytes } from "../../base/bytes.ts";
import { compareIp, type IpAddress } from "../../base/ip.ts";
import type { BfdInstance, SyncGroup, VrrpInstance } from "../../conf/keepalived/config.ts";
import { type CheckedNode, pairInstances, trackedScripts } from "../subject.ts";

/** Whose behaviour is computed: Tandem's own, or keepalived's, which waits where Tandem needs not. */
export type Program = "tandem" | "keepalived";

/** A sync group, or an instance without one, on one node. */
export interface UnitNode {
  readonly node: CheckedNode;
  /** The same virtual routers in the same order on every node. */
  readonly instances: readonly VrrpInstance[];
  readonly group: SyncGroup | undefined;
  /** Programs that clients need here, as far as the files tell; "nginx" when they tell nothing. */
  readonly services: readonly string[];
}

export interface Unit {
  readonly name: string;
  readonly program: Program;
  readonly nodes: readonly UnitNode[];
  /** The nodes do not accept each other's adverts. */
  readonly isSplit: boolean;
}

/** What is wrong with a node. */
export interface Condition {
  readonly isPowered: boolean;
  readonly runsVrrp: boolean;
  /** The network forwards nothing from and to it; its links do not notice. */
  readonly isCutOff: boolean;
  /** It hears no other node and none hears it, but clients reach it. */
  readonly isApart: boolean;
  readonly deadServices: ReadonlySet<string>;
  readonly downLinks: ReadonlySet<string>;
  readonly lostUpstreams: ReadonlySet<string>;
  /** What a reload has made of `priority`; undefined: as in the file. */
  readonly priority: number | undefined;
}

export interface World {
  readonly conditions: readonly Condition[];
  /** Indices of the nodes that hold the addresses. */
  readonly holders: readonly number[];
  /** The node that clients send to: the last one that announced the addresses to them. */
  readonly clientsAt: number | undefined;
  /** What has happened and is not known yet where it matters: see `scriptKey`, `webServerKey` and `sessionKey`. */
  readonly unnoticed: ReadonlySet<string>;
}

const NOTHING: ReadonlySet<string> = new Set();
const WELL: Condition = {
  isPowered: true,
  runsVrrp: true,
  isCutOff: false,
  isApart: false,
  deadServices: NOTHING,
  downLinks: NOTHING,
  lostUpstreams: NOTHING,
  priority: undefined,
};

/** All is well, and nobody holds anything yet. */
export function freshWorld(unit: Unit): World {
  return { conditions: unit.nodes.map(() => WELL), holders: [], clientsAt: undefined, unnoticed: NOTHING };
}

/** The world with another condition of one node. */
export function changed(world: World, index: number, change: Partial<Condition>): World {
  const conditions = world.conditions.map((condition, i) => (i === index ? { ...condition, ...change } : condition));
  return { ...world, conditions };
}

/** Names a script of a node among what is unnoticed. */
export function scriptKey(index: number, script: string): string {
  return `${index} script ${script}`;
}

/** The web server of a node, by the name that `services` has for it. */
export const WEB_SERVER = "nginx";

/** Names the web server of a node among what is unnoticed. */
export function webServerKey(index: number): string {
  return `${index} web server`;
}

/** Names a BFD session of a node among what is unnoticed. */
export function sessionKey(index: number, session: string): string {
  return `${index} bfd ${session}`;
}

/** The units of the first node that at least one other node has, too, and those that it has alone. */
export function unitsOf(nodes: readonly CheckedNode[], program: Program, isSplit: boolean): readonly Unit[] {
  const [first, ...others] = nodes;
  if (first === undefined) return [];
  const partners = others.map((other) => new Map(pairInstances(first, other).map(({ a, b }) => [a.name, b])));
  const units: Unit[] = [];
  const seen = new Set<string>();
  for (const instance of first.config.instances) {
    if (seen.has(instance.name)) continue;
    const group = first.config.syncGroups.find(({ name }) => name === instance.syncGroup);
    const own = first.config.instances.filter(({ name }) => name === instance.name || group?.members.includes(name));
    for (const { name } of own) seen.add(name);
    const unitNodes = [unitNode(first, own)];
    for (const [i, other] of others.entries()) {
      const theirs = own.flatMap(({ name }) => partners[i]?.get(name) ?? []);
      if (theirs.length === own.length) unitNodes.push(unitNode(other, theirs));
    }
    units.push({ name: group?.name ?? instance.name, program, nodes: unitNodes, isSplit });
  }
  return units;
}

function unitNode(node: CheckedNode, instances: readonly VrrpInstance[]): UnitNode {
  const [instance] = instances;
  const group = node.config.syncGroups.find(({ name }) => name === instance?.syncGroup);
  const services = new Set<string>();
  for (const one of instances) {
    for (const { checked } of trackedScripts(node, one)) services.add(checked.service);
    for (const { name } of [...one.tracks.processes, ...(group?.tracks.processes ?? [])]) {
      const rule = node.config.trackProcesses.find((candidate) => candidate.name === name);
      if (rule !== undefined) services.add(rule.process);
    }
  }
  if (services.size === 0) services.add(WEB_SERVER);
  return { node, instances, group, services: [...services] };
}

/** Interfaces that an instance, or an address of it, is on. */
export function linksOf({ instances, group }: UnitNode): readonly string[] {
  const names = instances.flatMap((instance) => [
    instance.interface,
    ...[...instance.addresses, ...instance.excludedAddresses].map((address) => address.interface),
    ...instance.tracks.interfaces.map(({ name }) => name),
  ]);
  const tracked = group?.tracks.interfaces.map(({ name }) => name) ?? [];
  return [...new Set([...names, ...tracked].filter((name) => name !== undefined))];
}

/** BFD sessions that the unit follows on this node. */
export function sessionsOf({ node, instances, group }: UnitNode): readonly BfdInstance[] {
  const names = new Set(
    [...instances, ...(group === undefined ? [] : [group])].flatMap(({ tracks }) =>
      tracks.bfds.map(({ name }) => name),
    ),
  );
  return node.config.bfds.filter(({ name }) => names.has(name));
}

/** Upstreams that the unit follows on this node. */
export function upstreamsOf({ instances, group }: UnitNode): readonly string[] {
  const owners = [...instances, ...(group === undefined ? [] : [group])];
  return [...new Set(owners.flatMap(({ tracks }) => tracks.upstreams.map(({ name }) => name)))];
}

/** The node that a BFD session is with; undefined: none of the unit's, a gateway say. */
export function neighborOf(unit: Unit, index: number, { neighbor }: BfdInstance): number | undefined {
  const others = [...unit.nodes.keys()].filter((i) => i !== index);
  const sourceOf = (i: number): IpAddress | undefined => unit.nodes[i]?.instances[0]?.sourceAddress;
  const known = others.find((i) => isSame(sourceOf(i), neighbor));
  if (known !== undefined) return known;
  const nameless = others.filter((i) => sourceOf(i) === undefined);
  return nameless.length === 1 ? nameless[0] : undefined;
}

function isSame(a: IpAddress | undefined, b: IpAddress): boolean {
  return a !== undefined && equalBytes(a, b);
}

/** Between routers of one priority the higher address wins; without addresses in the files, the earlier node. */
export function hasHigherAddress(unit: Unit, a: number, b: number): boolean {
  const sourceA = unit.nodes[a]?.instances[0]?.sourceAddress;
  const sourceB = unit.nodes[b]?.instances[0]?.sourceAddress;
  if (sourceA === undefined || sourceB === undefined || sourceA.length !== sourceB.length) return a < b;
  return compareIp(sourceA, sourceB) > 0;
}

/** True when clients get through to the node and every program that they need runs there. */
export function isUseful(unit: Unit, { conditions }: World, index: number): boolean {
  const condition = conditions[index] as Condition;
  const node = unit.nodes[index] as UnitNode;
  if (!isReachable(unit, conditions, index)) return false;
  return node.services.every((service) => !condition.deadServices.has(service));
}

/** True when clients get through to the node. */
export function isReachable(unit: Unit, conditions: readonly Condition[], index: number): boolean {
  const { isPowered, isCutOff, downLinks } = conditions[index] as Condition;
  const { instances } = unit.nodes[index] as UnitNode;
  return isPowered && !isCutOff && instances.every((instance) => !downLinks.has(instance.interface ?? ""));
}

/** True when the adverts of this instance of `from` reach `to`, if they are sent. */
export function hears(unit: Unit, { conditions }: World, to: number, from: number, instance: number): boolean {
  if (unit.isSplit || to === from) return false;
  return [to, from].every((index) => {
    const { isPowered, runsVrrp, isCutOff, isApart, downLinks } = conditions[index] as Condition;
    const link = unit.nodes[index]?.instances[instance]?.interface ?? "";
    return isPowered && runsVrrp && !isCutOff && !isApart && !downLinks.has(link);
  });
}
