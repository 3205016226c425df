/**
 * All virtual servers of a node: their pools, their checkers, what the kernel has of them, reload. It lives in the checker process
 * and, with other ports, in tests. keepalived's counterpart: check_daemon.c, ipwrapper.c.
 */
import { compareIp, type IpAddress } from "../base/ip.ts";
import type { RealServer, VirtualServer } from "../conf/keepalived/lvs/config.ts";
import { Timers } from "../net/timers.ts";
import { Pool, type PoolHooks, type RealServerState, serviceOf } from "./pool.ts";
import type { LvsConfig, LvsPorts } from "./ports.ts";
import { BfdWatch, FileWatch } from "./told-watches.ts";
import { isSameCheck, makeWatch, type Watch } from "./watch.ts";

/** A pool with its watches. */
interface Entry {
  readonly pool: Pool;
  readonly watches: readonly Watch[];
  /** Addresses of this machine that are the service's; for ha_suspend. */
  addresses: number;
}

/** A node: create, `start`, tell it what happens, `stop`. */
export class LvsNode {
  readonly #ports: LvsPorts;
  #config: LvsConfig;
  readonly #timers: Timers;
  readonly #entries = new Map<string, Entry>();
  readonly #fileValues = new Map<string, number>();
  /** BFD sessions that have said something. */
  readonly #sessions = new Map<string, boolean>();
  #addresses: readonly IpAddress[] = [];
  readonly #dirty = new Set<Pool>();
  /** The kernel is told nothing before all is known. */
  #isSilent = true;
  #isStopped = false;
  /** Real servers that were out of their pool when a former process died, by `suspectKey`: down until they have passed their checks. */
  readonly #suspects: ReadonlySet<string>;

  constructor(ports: LvsPorts, config: LvsConfig, suspects: ReadonlySet<string> = new Set()) {
    this.#ports = ports;
    this.#config = config;
    this.#suspects = suspects;
    this.#timers = new Timers(ports.clock, (ring) => ports.alarm(ring));
  }

  /** All pools with what watches them, for status and dumps. */
  get entries(): readonly { readonly pool: Pool; readonly watches: readonly Watch[] }[] {
    return [...this.#entries.values()];
  }

  /** What is known before the start should be told before: `fileValue`, `session`, `addressesAre`. */
  start(): void {
    const { services, log } = this.#ports;
    const { timeouts, flushAtStart, initialNotifies } = this.#config.globals.lvs;
    log.write("notice", `Virtual servers are done by ${services.method}`);
    const report = (failure: { readonly message: string } | undefined): void => {
      if (failure !== undefined) log.write("error", failure.message);
    };
    if (flushAtStart) report(services.flush());
    if (timeouts.tcp + timeouts.tcpFin + timeouts.udp > 0) report(services.setTimeouts(timeouts));
    for (const settings of this.#config.virtualServers) this.#add(settings, undefined, initialNotifies);
    this.#isSilent = false;
    this.#flush();
    for (const { watches } of this.#entries.values()) for (const watch of watches) watch.start();
  }

  /** Everything leaves, in words and notifies; the kernel's part is the caller's, who closes the services. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    for (const { pool, watches } of this.#entries.values()) {
      for (const watch of watches) watch.close();
      pool.end(true);
    }
    this.#dirty.clear();
  }

  /** A track_file holds this number; undefined: it can't be read. */
  fileValue(name: string, value: number | undefined): void {
    this.#fileValues.set(name, value ?? 0);
    for (const { watches } of this.#entries.values())
      for (const watch of watches)
        if (watch instanceof FileWatch && watch.checker.file === name) watch.change(value ?? 0);
    this.#flush();
  }

  /** A BFD session has come up or gone down. */
  session(name: string, isUp: boolean): void {
    this.#sessions.set(name, isUp);
    for (const { watches } of this.#entries.values())
      for (const watch of watches) if (watch instanceof BfdWatch && watch.checker.session === name) watch.change(isUp);
    this.#flush();
  }

  /** The addresses of this machine, as often as they are there. */
  addressesAre(addresses: readonly IpAddress[]): void {
    this.#addresses = addresses;
    for (const entry of this.#entries.values()) {
      const before = entry.addresses;
      entry.addresses = this.#count(entry.pool.settings);
      if (!entry.pool.settings.haSuspend || before > 0 === entry.addresses > 0) continue;
      const word = entry.addresses > 0 ? "Activating" : "Suspending";
      for (const watch of entry.watches) {
        const { name } = watch.server.settings;
        this.#ports.log.write("notice", `${word} healthchecker for service ${name} for VS ${entry.pool.settings.name}`);
        watch.enable(entry.addresses > 0);
      }
    }
  }

  #count({ kind, match }: VirtualServer): number {
    const [range] = match.ranges;
    // keepalived does not look for the addresses of a group.
    if (kind !== "address" || range === undefined) return 0;
    return this.#addresses.filter((ip) => ip.length === range.ip.length && compareIp(ip, range.ip) === 0).length;
  }

  /** Takes over another configuration; what stays the same keeps its state. */
  reload(config: LvsConfig): void {
    const old = new Map(this.#entries);
    this.#config = config;
    this.#isSilent = true;
    for (const [name, entry] of old) {
      for (const watch of entry.watches) watch.close();
      const next = config.virtualServers.find((server) => server.name === name);
      if (next === undefined) this.#remove(entry);
      // What a service is for can't be changed in the kernel.
      else if (!isSameMatch(entry.pool.settings, next)) this.#report(this.#ports.services.remove(name));
    }
    this.#entries.clear();
    this.#dirty.clear();
    for (const settings of config.virtualServers)
      this.#add(settings, old.get(settings.name), config.globals.lvs.initialNotifies);
    this.#isSilent = false;
    this.#flush();
    for (const { watches } of this.#entries.values()) for (const watch of watches) watch.start();
  }

  #remove({ pool }: Entry): void {
    const { name, kind } = pool.settings;
    const what = kind === "group" ? `Virtual Server Group ${name.replace(/:\d+$/, "")}` : `Virtual Server ${name}`;
    this.#ports.log.write("notice", `Removing ${what}`);
    pool.end(false);
    this.#report(this.#ports.services.remove(name));
  }

  #add(settings: VirtualServer, before: Entry | undefined, initialNotifies: boolean): void {
    const { name } = settings;
    if (this.#entries.has(name)) {
      this.#ports.log.write("error", `Virtual server ${name} is there twice - ignoring the second one`);
      return;
    }
    const hooks: PoolHooks = {
      isWithoutCheckerMail: this.#config.globals.lvs.isWithoutCheckerMail,
      log: (message) => this.#ports.log.write("notice", message),
      notify: (event) => this.#ports.notify(event),
      mail: (text) => this.#ports.mail(text),
      changed: () => {
        this.#dirty.add(pool);
        if (!this.#isSilent) this.#flush();
      },
    };
    const pool: Pool = new Pool(settings, hooks);
    const context = { ports: this.#ports, timers: this.#timers, tls: this.#config.globals.lvs.tls };
    const watches = pool.servers.flatMap((server) =>
      server.settings.checkers.map((checker) => makeWatch(checker, server, pool, context)),
    );
    const entry: Entry = { pool, watches, addresses: this.#count(settings) };
    this.#entries.set(name, entry);
    if (settings.haSuspend && entry.addresses === 0) for (const watch of watches) watch.enable(false);
    for (const watch of watches) {
      if (watch instanceof FileWatch) watch.begin(this.#fileValues.get(watch.checker.file) ?? 0);
      if (watch instanceof BfdWatch) watch.begin(this.#sessions.get(watch.checker.session));
    }
    if (before !== undefined) pool.inherit(before.pool);
    for (const server of pool.servers) {
      const isSuspect = this.#suspects.has(suspectKey(name, server.settings.name));
      if (isSuspect && before === undefined)
        for (const watch of watches) if (watch.server === server) watch.distrust(true);
      settle(server, watches, pool, before);
    }
    if (before !== undefined) this.#dropOthers(before.pool, pool);
    pool.start(initialNotifies && before === undefined);
  }

  /** Real servers that are not there any more. */
  #dropOthers(old: Pool, next: Pool): void {
    for (const server of old.servers) {
      if (next.servers.some(({ settings }) => isSameServer(settings, server.settings))) continue;
      this.#ports.log.write("notice", `service ${server.settings.name} no longer exist`);
      old.drop(server, false);
    }
    old.recount();
  }

  #report(failure: { readonly message: string } | undefined): void {
    if (failure !== undefined) this.#ports.log.write("error", failure.message);
  }

  /** Tells the kernel what has changed. */
  #flush(): void {
    if (this.#isStopped || this.#isSilent) return;
    for (const pool of this.#dirty)
      this.#report(this.#ports.services.set(serviceOf(pool.settings), pool.destinations()));
    this.#dirty.clear();
  }
}

/** Names a real server of a virtual one. */
export function suspectKey(service: string, server: string): string {
  return `${service} ${server}`;
}

/** What the watches of a server, new or from before, make of it before the pool starts. */
function settle(server: RealServerState, all: readonly Watch[], pool: Pool, before: Entry | undefined): void {
  const watches = all.filter((watch) => watch.server === server);
  const old = before?.pool.servers.find(({ settings }) => isSameServer(settings, server.settings));
  const own = server.settings.weight + watches.reduce((sum, { weight }) => sum + weight, 0);
  if (old === undefined) {
    server.weight = own;
    server.failed = watches.filter(({ isUp }) => !isUp).length;
    return;
  }
  server.isAlive = old.isAlive;
  server.weight = old.weight;
  const former = before?.watches.filter((watch) => watch.server === old) ?? [];
  for (const watch of watches) {
    const same = former.find(({ checker }) => isSameCheck(checker, watch.checker));
    if (same !== undefined) watch.inherit(same);
  }
  const hasFailed = watches.some(({ hasRun, isUp }) => hasRun && !isUp);
  const hasRun = watches.some((watch) => watch.hasRun);
  const isDoubtful = hasFailed || (!server.isAlive && !hasRun);
  for (const watch of watches) if (isDoubtful && !watch.hasRun) watch.distrust(false);
  server.failed = watches.filter((watch) => !watch.isUp && (watch.hasRun || isDoubtful)).length;
  const weight = server.settings.weight + watches.reduce((sum, watch) => sum + watch.weight, 0);
  if (server.failed > 0 && server.isAlive) {
    server.failed = 0;
    pool.checked(server, false);
    server.failed = watches.filter((watch) => !watch.isUp).length;
  } else if (server.failed === 0 && !server.isAlive) {
    pool.checked(server, true);
  }
  pool.reweigh(server, weight, false);
}

function isSameServer(a: RealServer, b: RealServer): boolean {
  return a.name === b.name;
}

function isSameMatch(a: VirtualServer, b: VirtualServer): boolean {
  const print = ({ match, family }: VirtualServer): string =>
    JSON.stringify([match, family], (_key, value) => (value instanceof Uint8Array ? [...value] : value));
  return print(a) === print(b);
}
