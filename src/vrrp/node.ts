/**
 * All routers of a node: one alarm, one view of the kernel's links, tracking, sync groups, reload. It lives in the VRRP
 * process and, with other ports, in the simulation. keepalived's counterpart: vrrp_daemon.c, vrrp_scheduler.c.
 */
import { equalBytes } from "../base/bytes.ts";
import { type IpAddress, printIp } from "../base/ip.ts";
import type { Command, Notifies, SyncGroup, VrrpInstance } from "../conf/keepalived/config.ts";
import type { Alarm } from "../io/reactor.ts";
import type { Address, Link, RoutingWatch } from "../io/routing.ts";
import { AnnouncePaces } from "./announce-pace.ts";
import { configChanges, printChanges } from "./config-changes.ts";
import { dampedTracks, FlapDampers, type FlapReport } from "./flap-dampers.ts";
import { faultsOfOthers, groupRole, type Member, mayTakeOver } from "./group.ts";
import { LinkDelays } from "./link-delays.ts";
import { type LinkView, linkFaults, linkNamed, sourceAddress, virtualLinksOf } from "./links.ts";
import { NodeLinks } from "./node-links.ts";
import { NodeRoutes } from "./node-routes.ts";
import { Partnership } from "./partnership.ts";
import type { BfdEvent, NodeConfig, NodePorts, NotifyState } from "./ports.ts";
import { Router, type RouterHooks } from "./router.ts";
import { SegmentPool } from "./segment-pool.ts";
import { SplitBrain } from "./split-brain.ts";
import { ROLE_NAMES, type Role } from "./state.ts";
import {
  type Assessment,
  assess,
  initialScript,
  type Observations,
  type ScriptState,
  stepScript,
  type UpstreamHealth,
} from "./track.ts";
import { isRanked } from "./unserved.ts";

const UNKNOWN_VRID_PAUSE_MS = 60_000;

/** A node: create, `start`, tell it what happens, `stop`. */
export class VrrpNode {
  readonly #ports: NodePorts;
  #config: NodeConfig;
  readonly #alarm: Alarm;
  readonly #pool: SegmentPool;
  readonly #view: LinkView;
  /** Other Tandem nodes, and what goes on with them. */
  readonly partnership: Partnership;
  readonly #links: NodeLinks;
  readonly #delays = new LinkDelays();
  readonly #paces = new AnnouncePaces();
  readonly #routes: NodeRoutes;
  readonly #splitBrain: SplitBrain;
  readonly #dampers: FlapDampers;
  #watch: RoutingWatch | undefined;
  readonly #routers = new Map<string, Router>();
  /** The same in their order; another list whenever one comes or goes. */
  #list: readonly Router[] = [];
  /** Instances that wait for the first result of something they track. */
  readonly #waiting = new Set<string>();
  readonly #assessments = new Map<string, Assessment>();
  /** Priorities of the assessments, less what flap damping holds back. */
  readonly #dampedPriorities = new Map<string, number>();
  readonly #groupRoles = new Map<string, Role>();
  readonly #scripts = new Map<string, ScriptState>();
  readonly #processCounts = new Map<string, number>();
  readonly #fileValues = new Map<string, number>();
  readonly #upSessions = new Set<string>();
  readonly #upstreams = new Map<string, UpstreamHealth>();
  #nodeFault: string | undefined;
  readonly #unknownVrids = new Map<number, number>();
  #stopped = false;

  constructor(ports: NodePorts, config: NodeConfig) {
    this.#ports = ports;
    this.#config = config;
    this.#links = new NodeLinks(ports);
    this.#dampers = new FlapDampers(ports.log);
    this.#alarm = ports.alarm(() => this.#ring());
    this.#pool = new SegmentPool(
      ports.segments,
      (vrid, source) => this.#unknownVrid(vrid, source),
      () => this.#rearm(),
    );
    const node = this;
    this.#view = {
      get links() {
        return node.#delays.of(node.#watch?.links.values() ?? [], ports.clock.now());
      },
      get addresses() {
        return node.#watch?.addresses() ?? [];
      },
    };
    this.#routes = new NodeRoutes(ports, this.#view);
    this.partnership = new Partnership(ports, {
      view: this.#view,
      get routers() {
        return node.routers;
      },
      get config() {
        return node.#config;
      },
      unitOf: (router) => node.#unitOf(router),
      assessedPriority: ({ settings: { name, priority } }) => node.#assessments.get(name)?.priority ?? priority,
      dampedPriority: ({ settings: { name, priority } }) => node.#dampedPriorities.get(name) ?? priority,
      doubt: (unit) => node.#splitBrain.doubt(unit, ports.clock.now()),
      reassess: () => node.#tellAll(),
      rearm: () => node.#rearm(),
    });
    this.#splitBrain = new SplitBrain(ports, {
      view: this.#view,
      get routers() {
        return node.routers;
      },
      get partners() {
        return node.partnership.partners;
      },
      reassess: () => node.#tellAll(),
    });
  }

  /** What the witness of an instance has said counts until then. */
  witness(instance: string, untilMs: number): void {
    this.#splitBrain.witness(instance, untilMs);
    this.#rearm();
  }

  /** The routers, for status and dumps. */
  get routers(): readonly Router[] {
    return this.#list;
  }

  get scripts(): ReadonlyMap<string, ScriptState> {
    return this.#scripts;
  }

  get config(): NodeConfig {
    return this.#config;
  }

  /** What flap damping knows of a router. */
  flapsOf(router: Router): FlapReport | undefined {
    return this.#dampers.report(router.settings, this.#ports.clock.now());
  }

  groupRole(name: string): Role {
    return this.#groupRoles.get(name) ?? "init";
  }

  start(): void {
    this.#delays.configure(this.#config.linkDelays);
    this.#paces.configure(this.#config.garpGroups);
    // Links that it makes itself are there when it begins to watch.
    this.#links.ensure(this.#config.instances, this.#ports.routing.links());
    this.#watch = this.#ports.routing.watch({
      onLink: (link) => this.#linkChanged(link),
      onLinkGone: (link) => this.#linkChanged(link),
      onAddress: () => this.#reassess(),
      onAddressGone: (address) => this.#addressGone(address),
    });
    this.partnership.configure();
    for (const script of this.#config.scripts) this.#scripts.set(script.name, initialScript(script));
    for (const instance of this.#config.instances) this.#add(instance);
    this.#routes.setStatics(this.#config.statics, this.#ports.clock.now());
    this.#reassess();
    this.#rearm();
  }

  /** Leaves gracefully: adverts of priority 0, addresses removed. Nothing happens afterwards. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    const atMs = this.#ports.clock.now();
    for (const router of this.#list) {
      router.feed({ kind: "stop", atMs });
      this.#notifyInstance(router, "STOP", router.settings.notifies.stop);
      router.detach();
    }
    this.#routes.stop();
    this.#links.stop();
    this.partnership.stop();
    this.#splitBrain.close();
    for (const group of this.#config.syncGroups) this.#notifyGroup(group, "STOP", group.notifies.stop);
    this.#alarm.disarm();
    this.#watch?.close();
  }

  /** A script has ended. */
  scriptResult(name: string, succeeded: boolean): void {
    const script = this.#config.scripts.find((candidate) => candidate.name === name);
    const before = this.#scripts.get(name);
    if (script === undefined || before === undefined || this.#stopped) return;
    const after = stepScript(script, before, succeeded);
    this.#scripts.set(name, after);
    if (after.health === before.health) return;
    this.#ports.log.write("notice", `VRRP_Script(${name}) ${after.health === "up" ? "succeeded" : "failed"}`);
    this.#ports.changed();
    this.#reassess();
  }

  /** So many processes match a vrrp_track_process now. */
  processCount(name: string, running: number): void {
    if (this.#processCounts.get(name) === running || this.#stopped) return;
    this.#processCounts.set(name, running);
    this.#ports.changed();
    this.#reassess();
  }

  /** A track_file holds this number; undefined: it can't be read. */
  fileValue(name: string, value: number | undefined): void {
    if (this.#stopped) return;
    if (value === undefined) this.#fileValues.delete(name);
    else this.#fileValues.set(name, value);
    this.#reassess();
  }

  /** A BFD session has come up or gone down. */
  bfdEvent({ name, neighbor, isUp, expired, detectionMs }: BfdEvent): void {
    if (this.#stopped || this.#upSessions.has(name) === isUp) return;
    if (isUp) this.#upSessions.add(name);
    else this.#upSessions.delete(name);
    const followers = this.#list.filter((router) => this.#tracksBfd(router, name));
    for (const { settings } of followers)
      this.#ports.log.write(
        "notice",
        `VRRP_Instance(${settings.name}) Tracked BFD instance ${name} is ${isUp ? "UP" : "DOWN"}`,
      );
    this.#ports.changed();
    this.#reassess();
    if (isUp || !expired) return;
    const atMs = this.#ports.clock.now();
    for (const router of followers) router.feed({ kind: "neighborLost", atMs, neighbor, detectionMs });
    this.#rearm();
  }

  #tracksBfd(router: Router, name: string): boolean {
    const owners = [router.settings, this.#groupOf(router)];
    return owners.some((owner) => owner?.tracks.bfds.some((track) => track.name === name) === true);
  }

  /** The peers of an upstream are so healthy; undefined: there is no such upstream any more. */
  upstreamHealth(name: string, health: UpstreamHealth | undefined): void {
    if (this.#stopped) return;
    const before = this.#upstreams.get(name);
    if (before?.healthy === health?.healthy && before?.total === health?.total) return;
    if (health === undefined) this.#upstreams.delete(name);
    else this.#upstreams.set(name, health);
    const words = health === undefined ? "is gone" : `has ${health.healthy} of ${health.total} peers healthy`;
    this.#ports.log.write("notice", `upstream ${name} ${words}`);
    this.#ports.changed();
    this.#reassess();
  }

  /** Something that every router needs has failed; undefined: no more. */
  nodeFault(fault: string | undefined): void {
    if (fault === this.#nodeFault) return;
    this.#nodeFault = fault;
    if (this.#watch === undefined) return;
    this.#ports.changed();
    this.#reassess();
  }

  /** Takes over another configuration; routers that stay the same ones keep their role and their schedule. */
  reload(config: NodeConfig): void {
    const atMs = this.#ports.clock.now();
    const old = this.#config;
    this.#config = config;
    this.#delays.configure(config.linkDelays);
    this.#paces.configure(config.garpGroups);
    for (const text of printChanges(configChanges(old, config))) this.#ports.record({ kind: "config", text });
    for (const [name, router] of [...this.#routers]) {
      const next = config.instances.find((instance) => instance.name === name);
      if (next !== undefined && isSameRouter(router.settings, next)) continue;
      this.#routers.delete(name);
      this.#list = [...this.#routers.values()];
      this.#waiting.delete(name);
      this.#assessments.delete(name);
      this.#dampers.forget(name);
      router.feed({ kind: "stop", atMs });
      this.partnership.handovers.forget(router);
      const { deleted, fault } = router.settings.notifies;
      if (deleted === false) this.#notifyInstance(router, "FAULT", fault);
      else this.#notifyInstance(router, "DELETED", deleted === true ? undefined : deleted);
      router.detach();
    }
    for (const script of config.scripts) {
      const known = this.#scripts.get(script.name);
      if (known === undefined) this.#scripts.set(script.name, initialScript(script));
      else
        this.#ports.log.write(
          "notice",
          `VRRP_Script(${script.name}) considered ${known.health === "down" ? "unsuccessful" : "successful"} on reload`,
        );
    }
    for (const name of [...this.#scripts.keys()])
      if (!config.scripts.some((script) => script.name === name)) this.#scripts.delete(name);
    for (const name of [...this.#upSessions])
      if (!config.bfds.some((session) => session.name === name)) this.#upSessions.delete(name);
    for (const group of old.syncGroups)
      if (!config.syncGroups.some(({ name }) => name === group.name)) this.#groupRoles.delete(group.name);
    for (const instance of config.instances) {
      const router = this.#routers.get(instance.name);
      if (router === undefined) this.#add(instance);
      else router.reload(instance, atMs);
    }
    this.partnership.configure();
    this.#dampers.reload(config.instances);
    this.#routes.setStatics(config.statics, atMs);
    this.#reassess();
    this.#rearm();
  }

  #add(instance: VrrpInstance): void {
    const hooks: RouterHooks = {
      roleChanged: (router, from, to) => this.#roleChanged(router, from, to),
      asks: (router) => this.#asked(router),
      event: (router, event) => this.#event(router, event),
      claimed: ({ settings }) => this.#routes.claim(settings.name, settings, this.#ports.clock.now()),
      releasing: (router) => {
        this.#routes.release(router.settings.name);
        this.partnership.handovers.releasing(router);
      },
      mayWait: (router, nowMs) =>
        router.settings.syncGroup === undefined ? this.#mayWait([router], nowMs) : undefined,
    };
    const router = new Router(instance, this.#ports, this.#view, this.#pool, hooks, this.#paces);
    this.#routes.clean(instance);
    router.clean();
    this.partnership.clean(router);
    this.#routers.set(instance.name, router);
    this.#list = [...this.#routers.values()];
    this.#waiting.add(instance.name);
  }

  #ring(): void {
    if (this.#stopped) return;
    this.#pool.drain();
    const nowMs = this.#ports.clock.now();
    if (Math.min(this.#delays.nextMs, this.#dampers.nextMs) <= nowMs) this.#reassess();
    this.#splitBrain.ring(nowMs);
    for (const router of this.#list) router.ring(nowMs);
    this.#routes.ring(nowMs);
    this.partnership.ring(nowMs);
    this.#rearm();
  }

  /** To be called after everything that may have moved a deadline. */
  #rearm(): void {
    const { partnership } = this;
    let next = Math.min(partnership.nextMs, this.#routes.nextMs, this.#delays.nextMs, this.#splitBrain.nextMs);
    next = Math.min(next, this.#dampers.nextMs);
    for (const router of this.#list) next = Math.min(next, router.nextMs ?? Number.POSITIVE_INFINITY);
    if (Number.isFinite(next) && !this.#stopped) this.#alarm.arm(next);
    else this.#alarm.disarm();
  }

  #linkChanged(link: Link): void {
    if (this.#stopped) return;
    const isThere = this.#watch?.links.has(link.index) ?? false;
    const tracked = this.#config.instances.some(({ interface: name }) => name === link.name);
    if (tracked)
      this.#ports.log.write("notice", `Netlink reports ${link.name} ${isThere && link.isRunning ? "up" : "down"}`);
    this.#reassess();
    if (!isThere) return;
    for (const router of this.#list) {
      const isOurs = virtualLinksOf(router.settings).some(({ name }) => name === link.name);
      if (isOurs) router.linkCame(link.name, this.#ports.clock.now());
    }
    this.#rearm();
  }

  #addressGone(address: Address): void {
    if (this.#stopped) return;
    this.#reassess();
    for (const router of this.#list) {
      const lost = router.addresses.find((own) => equalBytes(own.address, address.ip));
      // On another link, such as the loopback, it is none of the router's.
      if (lost !== undefined && linkNamed(this.#view, lost.interface)?.index !== address.linkIndex) continue;
      if (lost === undefined || router.state.role !== "active") continue;
      // The message may be old news: our own removal, long since followed by our own return.
      const present = this.#ports.routing
        .addresses(address.linkIndex)
        .some((other) => equalBytes(other.ip, address.ip));
      if (!present) router.feed({ kind: "addressLost", atMs: this.#ports.clock.now(), address: address.ip });
    }
    this.#rearm();
  }

  #observations(): Observations {
    const upInterfaces = new Set<string>();
    for (const link of this.#view.links) if (link.isRunning) upInterfaces.add(link.name);
    return {
      upInterfaces,
      scripts: this.#scripts,
      processCounts: this.#processCounts,
      fileValues: this.#fileValues,
      upSessions: this.#upSessions,
      upstreams: this.#upstreams,
    };
  }

  /** Works out again what every router may be, and tells those for which it has changed. */
  #reassess(): void {
    if (this.#stopped) return;
    this.#links.ensure(this.#config.instances, this.#view.links);
    const seen = this.#observations();
    const virtual: IpAddress[] = this.#list.flatMap((router) => router.addresses.map(({ address }) => address));
    for (const [name, router] of this.#routers) {
      const source = sourceAddress(router.settings, this.#view, virtual);
      this.#links.giveSource(router.settings, source, this.#view);
      router.attach(source);
      const faults = linkFaults(router.settings, this.#view, source);
      if (faults.length === 0 && !router.isAttached) faults.push("the advert socket cannot be opened");
      if (this.#nodeFault !== undefined && !isRanked(router.settings, this.#groupOf(router)))
        faults.push(this.#nodeFault);
      this.#assessments.set(name, assess(router.settings, this.#groupOf(router), this.#config, seen, faults));
    }
    for (const router of this.#routers.values()) this.#damp(router, seen);
    this.partnership.place();
    this.#splitBrain.configure();
    this.#tellAll();
    this.#rearm();
  }

  /** Behind all assessments: a fault of one member of a group is one of all. */
  #damp(router: Router, seen: Observations): void {
    const instance = router.settings;
    const { name, flapDamping: rules } = instance;
    const assessment = this.#assessments.get(name) as Assessment;
    const group = this.#groupOf(router);
    const atMs = this.#ports.clock.now();
    let damped: Assessment | undefined = assessment;
    if (rules?.scope === "upstreams")
      damped = assess(dampedTracks(instance, rules), group && dampedTracks(group, rules), this.#config, seen, []);
    else if (group?.members.some((member) => (this.#assessments.get(member)?.faults.length ?? 0) > 0) === true)
      damped = { ...assessment, faults: ["of the group"] };
    if (damped.isPending) damped = undefined;
    this.#dampedPriorities.set(name, this.#dampers.priorityOf({ instance, assessment, damped, atMs }));
  }

  #tellAll(): void {
    for (const router of this.#list) this.#tell(router);
  }

  #tell(router: Router): void {
    const name = router.settings.name;
    const assessment = this.#assessments.get(name);
    if (assessment === undefined || this.#links.isComing(router.settings)) return;
    const atMs = this.#ports.clock.now();
    const group = this.#groupOf(router);
    const others = group === undefined ? [] : faultsOfOthers(this.#members(group), name, group.name);
    const faults = [...assessment.faults, ...this.#splitBrain.faultsOf(router), ...others];
    const { state } = router;
    const damped = this.#dampedPriorities.get(name) ?? assessment.priority;
    const priority = Math.min(damped, this.partnership.handovers.capOf(router));
    if (state.priority !== priority || !sameList(state.faults, faults))
      router.feed({ kind: "tracking", atMs, priority, faults });
    if (!this.#waiting.has(name) || assessment.isPending) return;
    this.#waiting.delete(name);
    router.feed({ kind: "start", atMs, delayMs: this.#config.globals.startupDelayMs });
  }

  #groupOf(router: Router): SyncGroup | undefined {
    return this.#config.syncGroups.find(({ name }) => name === router.settings.syncGroup);
  }

  /** The router alone, or all routers of its sync group. */
  #unitOf(router: Router): readonly Router[] {
    const group = this.#groupOf(router);
    return group === undefined ? [router] : group.members.flatMap((name) => this.#routers.get(name) ?? []);
  }

  #members(group: SyncGroup): Member[] {
    return group.members.flatMap((name) => {
      const router = this.#routers.get(name);
      if (router === undefined) return [];
      const { role, isAsking } = router.state;
      return [
        {
          name,
          role,
          isAsking,
          faults: [...(this.#assessments.get(name)?.faults ?? []), ...this.#splitBrain.faultsOf(router)],
        },
      ];
    });
  }

  /** A member's down timer has expired: if nobody else is heard either, the whole group takes over. */
  #asked(router: Router): void {
    const group = this.#groupOf(router);
    const atMs = this.#ports.clock.now();
    if (group === undefined) {
      router.feed({ kind: "group", atMs, to: "active", group: "" }); // a group without this member: its own decision
      return;
    }
    if (!mayTakeOver(this.#members(group))) return;
    const untilMs = this.#mayWait(this.#unitOf(router), atMs);
    if (untilMs !== undefined) {
      for (const member of this.#unitOf(router)) member.feed({ kind: "wait", atMs, untilMs });
      return;
    }
    this.#ports.log.write("notice", `VRRP_Group(${group.name}) Syncing instances to MASTER state`);
    for (const name of group.members)
      this.#routers.get(name)?.feed({ kind: "group", atMs, to: "active", group: group.name });
  }

  /** A backup that could take over asks the partner first, when that is active, and the guard in any case. */
  #mayWait(unit: readonly Router[], nowMs: number): number | undefined {
    const isUnsure = this.#splitBrain.doubt(unit, nowMs) !== undefined;
    const pulledMs = isUnsure ? undefined : this.partnership.handovers.pull(unit, nowMs);
    return pulledMs ?? this.#splitBrain.mayWait(unit, nowMs);
  }

  #roleChanged(router: Router, from: Role, to: Role): void {
    if (this.#stopped) return;
    this.partnership.handovers.roleChanged(router);
    this.#splitBrain.roleChanged(router, from, to);
    const { master, backup, fault } = router.settings.notifies;
    if (to === "active") this.#notifyInstance(router, "MASTER", master);
    else if (to === "backup") this.#notifyInstance(router, "BACKUP", backup);
    else if (to === "fault") this.#notifyInstance(router, "FAULT", fault);
    const group = this.#groupOf(router);
    if (group === undefined) return;
    if (from === "active" && to === "backup") {
      const atMs = this.#ports.clock.now();
      for (const name of group.members)
        this.#routers.get(name)?.feed({ kind: "group", atMs, to: "backup", group: group.name });
    }
    this.#groupChanged(group);
  }

  #groupChanged(group: SyncGroup): void {
    const role = groupRole(this.#members(group));
    if (role === (this.#groupRoles.get(group.name) ?? "init")) return;
    this.#groupRoles.set(group.name, role);
    if (role === "init") return;
    if (role !== "active")
      this.#ports.log.write("notice", `VRRP_Group(${group.name}) Syncing instances to ${ROLE_NAMES[role]} state`);
    const { master, backup, fault } = group.notifies;
    this.#notifyGroup(group, ROLE_NAMES[role], role === "active" ? master : role === "backup" ? backup : fault);
  }

  #event(router: Router, event: "lowerPriorityHeard" | "priorityChanged"): void {
    if (event === "lowerPriorityHeard") {
      this.#notifyInstance(router, "MASTER_RX_LOWER_PRI", router.settings.notifies.masterRxLowerPriority, false);
      return;
    }
    this.#ports.changed();
    const { role } = router.state;
    if (!router.settings.notifyPriorityChanges || (role !== "active" && role !== "backup")) return;
    this.#notifyInstance(router, role === "active" ? "MASTER_PRIORITY" : "BACKUP_PRIORITY", undefined);
  }

  #notifyInstance(router: Router, state: NotifyState, specific: Command | undefined, withAny = true): void {
    const { name, notifies } = router.settings;
    const any = withAny ? notifies.any : undefined;
    this.#ports.notify({ type: "INSTANCE", name, state, priority: router.state.priority, commands: { specific, any } });
  }

  #notifyGroup(group: SyncGroup, state: NotifyState | "INIT", specific: Notifies["master"]): void {
    if (state === "INIT") return;
    const commands = { specific, any: group.notifies.any };
    this.#ports.notify({ type: "GROUP", name: group.name, state, priority: 0, commands });
  }

  #unknownVrid(vrid: number, source: IpAddress): void {
    if (!this.#config.globals.logUnknownVrids) return;
    const nowMs = this.#ports.clock.now();
    const last = this.#unknownVrids.get(vrid);
    if (last !== undefined && nowMs - last < UNKNOWN_VRID_PAUSE_MS) return;
    this.#unknownVrids.set(vrid, nowMs);
    this.#ports.log.write("notice", `Unknown VRID(${vrid}) received from ${printIp(source)}. ignoring...`);
  }
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, i) => text === b[i]);
}

/** True when a running router can take these settings over without being another router to its peers. */
function isSameRouter(a: VrrpInstance, b: VrrpInstance): boolean {
  return (
    a.interface === b.interface &&
    a.virtualLink?.name === b.virtualLink?.name &&
    a.virtualLink?.mac.join() === b.virtualLink?.mac.join() &&
    a.virtualRouterId === b.virtualRouterId &&
    a.family === b.family &&
    a.version === b.version &&
    a.unicast === b.unicast
  );
}
