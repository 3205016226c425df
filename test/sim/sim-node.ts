/** A machine of the simulation: links, addresses, the VRRP process with its supervisor's guard. The code inside is the product's. */

import { silentLog } from "../../src/base/log.ts";
import { BfdSessions } from "../../src/bfd/sessions.ts";
import { type DetourState, NO_DETOURS } from "../../src/io/detour.ts";
import { FakeDetours } from "../../src/io/detour-fake.ts";
import type { FakePeerNetwork, FakePeerSockets } from "../../src/io/peer-socket-fake.ts";
import type { Alarm } from "../../src/io/reactor.ts";
import { FakeRoutes } from "../../src/io/routes-fake.ts";
import type { Routing, RoutingWatch } from "../../src/io/routing.ts";
import { FakeRouting } from "../../src/io/routing-fake.ts";
import type { FakeSegments, FakeSwitch } from "../../src/io/segment-fake.ts";
import type { FakeUdp, FakeUdpNetwork } from "../../src/io/udp-fake.ts";
import { FakeVirtualLinks } from "../../src/io/virtual-links-fake.ts";
import { CrashGuard } from "../../src/process/crash-guard.ts";
import { ip } from "../../src/vrrp/example.ts";
import type { Phase } from "../../src/vrrp/handover.ts";
import { VrrpNode } from "../../src/vrrp/node.ts";
import type { NodeConfig } from "../../src/vrrp/ports.ts";
import type { Router } from "../../src/vrrp/router.ts";
import type { RouterState } from "../../src/vrrp/state.ts";
import type { Timeline } from "./timeline.ts";

export const VIRTUAL = ip("192.168.50.130");
const LINK = 1;
const LOOPBACK = 2;
const ENETDOWN = 100;
/** How long a check script takes. */
const SCRIPT_MS = 3;
const NO_PHASES: readonly Phase[] = [];

/** One life of the VRRP process. */
interface Life {
  readonly node: VrrpNode;
  /** The only one of the node, once it has started. */
  router: Router | undefined;
  readonly bfd: BfdSessions;
  readonly port: FakeSegments;
  readonly udp: FakeUdp;
  readonly peers: FakePeerSockets;
  readonly ears: Set<(frame: Uint8Array) => void>;
  /** It wants the lease of the witness. */
  wants: boolean;
  isAlive: boolean;
  watch: RoutingWatch | undefined;
  /** Alarms that rang while the process was suspended. */
  missed: (() => void)[];
}

export class SimNode {
  readonly name: string;
  readonly index: number;
  readonly config: NodeConfig;
  readonly #timeline: Timeline;
  readonly #fabric: FakeSwitch;
  readonly #network: FakeUdpNetwork;
  readonly #peerNetwork: FakePeerNetwork;
  readonly #random: () => number;
  readonly #detours = new FakeDetours();
  /** What clients of its machine have open while it gives an address away. */
  openConnections = 0;
  #routing: FakeRouting;
  #guard: CrashGuard;
  #guardPort: FakeSegments;
  #life: Life | undefined;
  isPaused = false;
  isLinkUp = true;
  isPowered = false;
  /** Since when nothing is wrong with it. */
  healthySinceMs = 0;
  #isCheckOk = true;

  constructor(
    index: number,
    config: NodeConfig,
    timeline: Timeline,
    fabric: FakeSwitch,
    network: FakeUdpNetwork,
    peerNetwork: FakePeerNetwork,
    random: () => number,
  ) {
    this.#network = network;
    this.#peerNetwork = peerNetwork;
    this.#random = random;
    this.index = index;
    this.name = "ABC"[index] as string;
    this.config = config;
    this.#timeline = timeline;
    this.#fabric = fabric;
    this.#routing = this.#machine();
    this.#guardPort = fabric.port(this.name);
    this.#guard = this.#newGuard();
  }

  readonly #routes = new FakeRoutes();

  #newGuard(): CrashGuard {
    const links = new FakeVirtualLinks(this.#routing);
    return new CrashGuard(
      this.#guardPort,
      this.#routing,
      this.#detours,
      links,
      this.#routes,
      silentLog,
      () => this.#timeline.nowMs,
    );
  }

  #machine(): FakeRouting {
    const routing = new FakeRouting([
      { name: "eth0", mac: Uint8Array.of(2, 0, 0, 0, 0, this.index + 1) },
      { name: "lo", isLoopback: true },
    ]);
    routing.addAddress({ linkIndex: LINK, ip: simAddress(this.index), prefixLength: 24 });
    if (!this.isLinkUp) routing.setCarrier(LINK, false);
    return routing;
  }

  get state(): RouterState | undefined {
    return this.#life?.router?.state;
  }

  /** The process exists and is not suspended. */
  get isRunning(): boolean {
    return this.#life !== undefined && !this.isPaused;
  }

  get isActive(): boolean {
    return this.state?.role === "active";
  }

  get holdsAddress(): boolean {
    this.#lookAtAddresses();
    return this.#holdsAddress;
  }

  /** The address is on its loopback: connections of before a hand-over go on. */
  get keepsAddress(): boolean {
    this.#lookAtAddresses();
    return this.#keepsAddress;
  }

  /** Asked behind every event: the addresses are gone through only when some have changed. */
  #lookAtAddresses(): void {
    if (this.#seen === this.#routing.version) return;
    this.#seen = this.#routing.version;
    const isOn = (link: number): boolean => this.#routing.addresses(link).some(({ ip }) => ip[3] === VIRTUAL[3]);
    this.#holdsAddress = isOn(LINK);
    this.#keepsAddress = isOn(LOOPBACK);
  }
  /** Of the addresses, when they were looked at last. */
  #seen: object | undefined;
  #holdsAddress = false;
  #keepsAddress = false;

  /** What its kernel has been asked to do with packets. */
  get detours(): DetourState {
    return this.#detours.state;
  }

  /** Phases of the hand-overs in which it takes part. */
  get phases(): readonly Phase[] {
    const running = this.#life?.node.partnership.handovers.running;
    return running === undefined || running.length === 0 ? NO_PHASES : running.map(({ state }) => state.phase);
  }

  /** `tandem handover`. */
  handOver(): void {
    this.#detours.open = this.openConnections;
    if (this.isRunning)
      this.#life?.node.partnership.handOver(undefined, { limitMs: undefined, mayLower: true }, (results) => {
        for (const { isMoved, how, to, reason } of results)
          this.onHandover?.(`${this.name} hand-over: ${isMoved ? `moved to ${to}, ${how}` : "not moved"} ${reason}`);
      });
  }
  onHandover: ((text: string) => void) | undefined;

  /** `tandem drain`, when everything has been handed over. */
  drain(isDrained: boolean): void {
    this.#life?.node.partnership.drain(isDrained);
  }

  /** Its supervisor hangs, or is back. */
  setAttended(isAttended: boolean): void {
    const partnership = this.#life?.node.partnership;
    if (isAttended) partnership?.attend();
    else partnership?.leaveUnattended();
  }

  /** Clients end connections. */
  setOpenConnections(count: number): void {
    this.openConnections = count;
    this.#detours.open = count;
  }

  /** The machine gets power; the process starts. */
  boot(): void {
    this.isPowered = true;
    this.isPaused = false;
    this.#routing = this.#machine();
    this.#detours.set(NO_DETOURS);
    this.#fabric.unplug(this.#guardPort);
    this.#guardPort = this.#fabric.port(this.name);
    this.#guard = this.#newGuard();
    this.#startProcess();
  }

  #startProcess(): void {
    const port = this.#fabric.port(this.name);
    const peers = this.#peerNetwork.plug(this.name);
    port.sendFailure = this.isLinkUp ? 0 : -ENETDOWN;
    const udp = this.#network.host(this.name, [simAddress(this.index)]);
    udp.sendFailure = port.sendFailure;
    const timeline = this.#timeline;
    const life: { -readonly [K in keyof Life]?: Life[K] } = {
      port,
      udp,
      peers,
      ears: new Set(),
      wants: false,
      isAlive: true,
      watch: undefined,
      missed: [],
    };
    const alive = life as Life;
    const routing: Routing = delegate(this.#routing, (watch) => {
      alive.watch = watch;
    });
    const clock = { now: () => timeline.nowMs, wall: () => timeline.nowMs };
    life.node = new VrrpNode(
      {
        clock,
        log: silentLog,
        routing,
        segments: port,
        alarm: (ring) => this.#alarm(alive, ring),
        guard: (router, farewell) => this.#guard.remember(router, farewell),
        notify: () => {},
        changed: () => {},
        peer: {
          sockets: peers,
          seal: () => weakSeal,
          random: (sizeBytes) => this.#randomBytes(sizeBytes),
          hostName: this.name,
          ownRecord: () => {},
        },
        detours: this.#detours,
        virtualLinks: new FakeVirtualLinks(this.#routing),
        routes: this.#routes,
        draining: () => {},
        record: () => {},
        neighbours: {
          watch: (_, onFrame) => {
            alive.ears.add(onFrame);
            return { close: () => alive.ears.delete(onFrame) };
          },
        },
        want: (_, isWanted) => this.#want(alive, isWanted),
      },
      this.config,
    );
    const alarm = (ring: () => void): Alarm => this.#alarm(alive, ring);
    const event = alive.node.bfdEvent.bind(alive.node);
    life.bfd = new BfdSessions({ clock, log: silentLog, udp, alarm, random: this.#random, event }, this.config.bfds);
    this.#life = alive;
    this.healthySinceMs = timeline.nowMs;
    alive.node.start();
    alive.router = alive.node.routers[0];
    alive.bfd.start();
    this.#askWitness(alive);
    // The supervisor runs the check as soon as the process is ready.
    timeline.after(SCRIPT_MS, () => {
      if (alive.isAlive) alive.node.scriptResult("chk", this.#isCheckOk);
    });
  }

  #randomBytes(sizeBytes: number): Uint8Array {
    const bytes = new Uint8Array(sizeBytes);
    for (let i = 0; i < sizeBytes; i++) bytes[i] = 1 + Math.floor(255 * this.#random());
    return bytes;
  }

  /** Set by the world. */
  askWitness: (wantsLease: boolean, answer: () => void) => void = () => {};
  giveBack: () => void = () => {};

  get mac(): Uint8Array {
    return Uint8Array.of(2, 0, 0, 0, 0, this.index + 1);
  }

  /** A frame of ARP comes. */
  hear(frame: Uint8Array): void {
    if (this.isRunning && this.#life !== undefined) for (const ear of this.#life.ears) ear(frame);
  }

  /** The supervisor asks three times within the time for which an answer counts. */
  #askWitness(life: Life): void {
    const [instance] = this.config.instances;
    const validMs = instance?.splitBrain?.validMs;
    if (instance === undefined || validMs === undefined || !life.isAlive) return;
    this.#askOnce(life, instance.name, validMs);
    this.#timeline.after(validMs / 3, () => this.#askWitness(life));
  }

  #askOnce(life: Life, name: string, validMs: number): void {
    const askedMs = this.#timeline.nowMs;
    const { wants } = life;
    this.askWitness(wants, () => {
      if (life.isAlive && !this.isPaused && life.wants === wants) life.node.witness(name, askedMs + validMs);
    });
  }

  #want(life: Life, isWanted: boolean): void {
    life.wants = isWanted;
    const [instance] = this.config.instances;
    if (!isWanted) this.giveBack();
    else if (instance?.splitBrain !== undefined) this.#askOnce(life, instance.name, instance.splitBrain.validMs);
  }

  #alarm(life: Life, ring: () => void): Alarm {
    let armed = Number.POSITIVE_INFINITY;
    const fire = (): void => {
      armed = Number.POSITIVE_INFINITY;
      ring();
    };
    return {
      arm: (atMs) => {
        if (atMs === armed) return;
        armed = atMs;
        this.#timeline.at(atMs, () => {
          if (!life.isAlive || armed !== atMs) return;
          if (!this.isPaused) return fire();
          if (!life.missed.includes(fire)) life.missed.push(fire);
        });
      },
      disarm: () => {
        armed = Number.POSITIVE_INFINITY;
      },
    };
  }

  #endLife(): void {
    const life = this.#life;
    if (life === undefined) return;
    life.isAlive = false;
    life.watch?.close();
    this.#fabric.unplug(life.port);
    this.#network.unplug(life.udp);
    this.#peerNetwork.unplug(life.peers);
    this.#life = undefined;
  }

  /** The machine loses power: everything in memory is gone, addresses included. */
  powerOff(): void {
    this.#endLife();
    this.isPowered = false;
    this.isPaused = false;
  }

  /** kill -9 of the VRRP process: the supervisor hears of it `guardMs` later, and starts another one `restartMs` after that. */
  killProcess(guardMs: number, restartMs: number): void {
    if (this.#life === undefined) return;
    this.#endLife();
    this.isPaused = false;
    this.#timeline.after(guardMs, () => {
      if (!this.isPowered || this.#life !== undefined) return;
      this.#guardPort.sendFailure = this.isLinkUp ? 0 : -ENETDOWN;
      this.#guard.release();
      this.giveBack();
    });
    this.#timeline.after(guardMs + restartMs, () => {
      if (this.isPowered && this.#life === undefined) this.#startProcess();
    });
  }

  /** kill -9 of the process and its supervisor: the addresses stay in the kernel until both are started again. */
  killEverything(restartMs: number): void {
    if (this.#life === undefined) return;
    this.#endLife();
    this.isPaused = false;
    this.#guard = this.#newGuard();
    this.#timeline.after(restartMs, () => {
      if (this.isPowered && this.#life === undefined) this.#startProcess();
    });
  }

  /** A graceful stop, and a start later. */
  restart(pauseMs: number): void {
    if (this.#life === undefined || this.isPaused) return;
    this.#life.node.stop();
    this.#life.bfd.stop();
    this.#endLife();
    this.#timeline.after(pauseMs, () => {
      if (this.isPowered && this.#life === undefined) this.#startProcess();
    });
  }

  pause(): void {
    if (this.#life === undefined) return;
    this.isPaused = true;
    this.#life.port.isPaused = true;
    this.#life.udp.isPaused = true;
    this.#life.peers.isPaused = true;
  }

  /** SIGCONT. Whether sockets or timers are looked at first is the kernel's choice. */
  resume(timersFirst: boolean): void {
    const life = this.#life;
    if (!this.isPaused || life === undefined) return;
    this.isPaused = false;
    life.port.isPaused = false;
    life.udp.isPaused = false;
    life.peers.isPaused = false;
    this.healthySinceMs = this.#timeline.nowMs;
    const missed = life.missed.splice(0);
    if (!timersFirst) this.#deliver(life);
    for (const ring of missed) ring();
    this.#deliver(life);
    this.#routing.deliver();
  }

  #deliver(life: Life): void {
    life.port.deliver();
    life.udp.deliver();
  }

  setLink(isUp: boolean): void {
    this.isLinkUp = isUp;
    this.healthySinceMs = this.#timeline.nowMs;
    for (const port of [this.#life?.port, this.#life?.udp])
      if (port !== undefined) port.sendFailure = isUp ? 0 : -ENETDOWN;
    this.#routing.setCarrier(LINK, isUp);
    if (!this.isPaused) this.#routing.deliver();
  }

  /** Somebody removes the virtual address. */
  stealAddress(): void {
    this.#routing.deliver(); // the kernel has told of its arrival long ago
    this.#routing.removeAddress({ linkIndex: LINK, ip: VIRTUAL, prefixLength: 32 });
    if (!this.isPaused) this.#routing.deliver();
  }

  /** Sets or removes the virtual address without anybody noticing: to see that the checks of the simulation do. */
  setAddressQuietly(isHeld: boolean): void {
    const address = { linkIndex: LINK, ip: VIRTUAL, prefixLength: 32 };
    if (isHeld) this.#routing.addAddress(address);
    else this.#routing.removeAddress(address);
  }

  /** The check script's result. */
  check(succeeded: boolean): void {
    this.#isCheckOk = succeeded;
    if (this.isRunning) this.#life?.node.scriptResult("chk", succeeded);
  }
}

/** A node's own address. */
export function simAddress(index: number): Uint8Array {
  return ip(`192.168.50.${133 + index}`);
}

/** Nobody forges anything here. */
function weakSeal(bytes: Uint8Array): Uint8Array {
  let sum = 0;
  for (const byte of bytes) sum = (sum * 31 + byte) | 0;
  return new Uint8Array(new Int32Array(8).fill(sum).buffer);
}

function delegate(routing: FakeRouting, onWatch: (watch: RoutingWatch) => void): Routing {
  return {
    links: () => routing.links(),
    link: (name) => routing.link(name),
    addresses: (index) => routing.addresses(index),
    addAddress: (settings) => routing.addAddress(settings),
    removeAddress: (address) => routing.removeAddress(address),
    setLinkUp: (index, up) => routing.setLinkUp(index, up),
    watch: (watcher) => {
      const watch = routing.watch(watcher);
      onWatch(watch);
      return watch;
    },
  };
}
