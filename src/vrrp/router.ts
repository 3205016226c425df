/**
 * A virtual router at work: feeds the machine of instance.ts with what arrives and carries out what it wants, through the
 * ports of the node. keepalived's counterpart: vrrp_scheduler.c.
 */
import { equalBytes } from "../base/bytes.ts";
import { compareIp, type IpAddress, printIp } from "../base/ip.ts";
import type { Level } from "../base/log.ts";
import type { VirtualAddress, VrrpInstance } from "../conf/keepalived/config.ts";
import type { AdvertSocketSettings, FrameSocket } from "../io/segment.ts";
import { encodeGratuitousArp } from "../wire/arp.ts";
import { encodeUnsolicitedAdvert } from "../wire/ndp.ts";
import { PRIORITY_STOP } from "../wire/vrrp/advert.ts";
import { AH_PROTOCOL } from "../wire/vrrp/ah.ts";
import { type DropReason, judge, type ReceivedAdvert } from "./accept.ts";
import { addressSettings, claimAddress, releaseAddress } from "./addresses.ts";
import { type AdvertPacket, advertPackets } from "./advert-packets.ts";
import { Announcer, type Pace, QUIET_REFRESH_MS } from "./announce.ts";
import type { AnnouncePaces } from "./announce-pace.ts";
import { extraAnnouncements } from "./extra-garp.ts";
import { step } from "./instance.ts";
import { baseOf, type LinkView, linkNamed, virtualLinksOf } from "./links.ts";
import type { Farewell, NodePorts, Renewal } from "./ports.ts";
import { AdvertSecurity } from "./security.ts";
import type { Place, SegmentPool } from "./segment-pool.ts";
import {
  type AnnounceCause,
  type Counter,
  initialState,
  ROLE_NAMES,
  type RouterEffect,
  type RouterInput,
  type RouterState,
} from "./state.ts";

/** Of an instance without an interface. */
const DEFAULT_MTU = 1500;
/** The same complaint about received adverts is logged once in this time. */
const COMPLAINT_PAUSE_MS = 10_000;

/** What a router tells its node, which owns groups and notifications. */
export interface RouterHooks {
  /** The addresses are on their links, or others than before are. */
  claimed(router: Router): void;
  /** The addresses are about to leave their links; the state is the next one already. */
  releasing(router: Router): void;
  /** A backup's timer has run out: when to look again, or undefined to take over now. */
  mayWait(router: Router, nowMs: number): number | undefined;
  /** After the effects of a change of role. */
  roleChanged(router: Router, from: RouterState["role"], to: RouterState["role"]): void;
  asks(router: Router): void;
  event(router: Router, event: "lowerPriorityHeard" | "priorityChanged"): void;
}

/** One virtual router of the node. */
export class Router {
  #settings: VrrpInstance;
  #state: RouterState;
  readonly #ports: NodePorts;
  readonly #view: LinkView;
  readonly #pool: SegmentPool;
  readonly #hooks: RouterHooks;
  readonly #paces: AnnouncePaces;
  #announcer: Announcer;
  readonly #security: AdvertSecurity;
  #place: Place | undefined;
  /** `vmac_xmit_base`: where adverts leave. */
  #exit: Place | undefined;
  #placeKey = "";
  readonly #frames = new Map<number, FrameSocket>();
  #source: IpAddress | undefined;
  #ipId = 0;
  #lastAccepted: IpAddress | undefined;
  /** IPv4 identification of that advert. */
  #lastId: number | undefined;
  /** When `garp_extra_if` is due. */
  #extraMs = Number.POSITIVE_INFINITY;
  /** When the last advert of a living active router was accepted. */
  advertMs = Number.NEGATIVE_INFINITY;
  /** The same, or when this router began to listen, whatever BFD says about who sent it. */
  heardMs = Number.NEGATIVE_INFINITY;
  readonly #complaints = new Map<string, number>();
  /** Counted since the start, for statistics. */
  readonly counters = new Map<Counter | "advertsReceived", number>();
  readonly drops = new Map<DropReason, number>();

  constructor(
    settings: VrrpInstance,
    ports: NodePorts,
    view: LinkView,
    pool: SegmentPool,
    hooks: RouterHooks,
    paces: AnnouncePaces,
  ) {
    this.#settings = settings;
    this.#ports = ports;
    this.#view = view;
    this.#pool = pool;
    this.#hooks = hooks;
    this.#paces = paces;
    this.#state = initialState(settings.priority, settings.advertIntervalMs);
    this.#announcer = newAnnouncer(settings);
    this.#security = new AdvertSecurity(settings);
  }

  get settings(): VrrpInstance {
    return this.#settings;
  }

  get state(): RouterState {
    return this.#state;
  }

  get source(): IpAddress | undefined {
    return this.#source;
  }

  get addresses(): readonly VirtualAddress[] {
    return [...this.#settings.addresses, ...this.#settings.excludedAddresses];
  }

  /** The same as other nodes know them: on the interfaces underneath. */
  get addressesOnBases(): readonly VirtualAddress[] {
    return this.addresses.map((address) => ({ ...address, interface: baseOf(this.#settings, address.interface) }));
  }

  clearStatistics(): void {
    this.counters.clear();
    this.drops.clear();
  }

  /** When `ring` has something to do. */
  get nextMs(): number | undefined {
    const deadline = this.#state.deadlineMs ?? Number.POSITIVE_INFINITY;
    const next = Math.min(deadline, this.#announcer.nextMs ?? Number.POSITIVE_INFINITY, this.#extraMs);
    return Number.isFinite(next) ? next : undefined;
  }

  /** Lets something happen and carries out what follows. */
  feed(input: RouterInput): void {
    const before = this.#state;
    const active = before.activeRouter?.source;
    // It can't be asked for anything any more, however young its last advert is.
    if (input.kind === "neighborLost" && active !== undefined && equalBytes(active, input.neighbor))
      this.advertMs = Number.NEGATIVE_INFINITY;
    const { state, effects } = step(this.#settings, before, input);
    this.#state = state;
    if (state.role !== before.role || input.kind === "reload") this.#planExtra(input.atMs);
    const role = effects.find((effect) => effect.kind === "role");
    if (role?.kind === "role") this.#record(role);
    this.#perform(effects, input.atMs);
    if (role?.kind !== "role") return;
    this.#ports.changed();
    if (role.from !== role.to) this.#hooks.roleChanged(this, role.from, role.to);
  }

  /** The alarm of the node has rung. */
  ring(nowMs: number): void {
    if (this.#state.deadlineMs !== undefined && this.#state.deadlineMs <= nowMs) {
      const untilMs = this.#state.role === "backup" ? this.#hooks.mayWait(this, nowMs) : undefined;
      this.feed(untilMs === undefined ? { kind: "alarm", atMs: nowMs } : { kind: "wait", atMs: nowMs, untilMs });
    }
    this.#announce(nowMs);
    this.#announceExtra(nowMs);
  }

  /** A link of ours has come (back) while the router is active: its addresses are set and told again. */
  linkCame(name: string, nowMs: number): void {
    if (this.#state.role !== "active") return;
    const lost = this.addresses.filter((address) => address.interface === name);
    if (lost.length === 0) return;
    this.#guard();
    for (const address of lost) this.#change(claimAddress, address);
    this.#announcer.plan("restore", nowMs);
    this.#announce(nowMs);
  }

  /** Opens, moves or closes the router's place on its segment as links and addresses come and go. */
  attach(source: IpAddress | undefined): void {
    this.#source = source;
    const { advertInterface, sendsFromBase, virtualRouterId } = this.#settings;
    const link = linkNamed(this.#view, advertInterface);
    const possible = source !== undefined && (link !== undefined || advertInterface === undefined);
    const key = possible ? `${link?.index} ${printIp(source)}` : "";
    if (key === this.#placeKey) return;
    this.detach();
    if (!possible) return;
    try {
      const receive = (packet: ReceivedAdvert): void => this.#receive(packet);
      this.#place = this.#pool.join(this.#socketSettings(source, advertInterface), virtualRouterId, receive);
      if (sendsFromBase) this.#exit = this.#pool.join(this.#exitSettings(source), virtualRouterId, receive);
      this.#placeKey = key;
    } catch (error) {
      this.#log("error", `cannot open the advert socket: ${(error as Error).message}`);
    }
  }

  /** Removes what a predecessor that was killed has left behind: before the start, which may have to wait. */
  clean(): void {
    for (const address of this.addresses) this.#change(releaseAddress, address);
  }

  detach(): void {
    this.#leave();
    this.#placeKey = "";
    for (const socket of this.#frames.values()) socket.close();
    this.#frames.clear();
  }

  #leave(): void {
    this.#place?.leave();
    this.#exit?.leave();
    this.#place = undefined;
    this.#exit = undefined;
  }

  /** The node says that nothing is missing, but the socket could not be opened. */
  get isAttached(): boolean {
    return this.#place !== undefined;
  }

  /** Takes over new settings of the same router: same name, link, VRID, family and version. */
  reload(settings: VrrpInstance, nowMs: number): void {
    const old = this.addresses;
    const wasActive = this.#state.role === "active";
    this.#settings = settings;
    this.#announcer = newAnnouncer(settings);
    this.#security.reload(settings);
    this.#placeKey = "";
    this.#leave();
    this.attach(this.#source);
    if (wasActive) {
      this.#announcer.refresh(nowMs);
      const kept = new Set(this.addresses.map(addressName));
      this.#guard();
      for (const address of old) if (!kept.has(addressName(address))) this.#change(releaseAddress, address);
      const held = new Set(old.map(addressName));
      const fresh = this.addresses.filter((address) => !held.has(addressName(address)));
      for (const address of fresh) this.#change(claimAddress, address);
      if (fresh.length > 0) this.#announcer.plan("restore", nowMs);
      this.#hooks.claimed(this);
    }
    this.feed({ kind: "reload", atMs: nowMs });
  }

  /** Where our adverts leave. */
  #exitSettings(source: IpAddress): AdvertSocketSettings {
    const { sendsFromBase, interface: base, advertInterface } = this.#settings;
    if (!sendsFromBase) return this.#socketSettings(source, advertInterface);
    return { ...this.#socketSettings(source, base), group: undefined };
  }

  #socketSettings(source: IpAddress, name: string | undefined): AdvertSocketSettings {
    const { family, unicast, unicastTtl, multicastGroup, receiveBuffer, authentication } = this.#settings;
    const link = linkNamed(this.#view, name);
    return {
      link: link === undefined ? undefined : { index: link.index, name: link.name },
      family,
      group: unicast ? undefined : multicastGroup,
      source,
      hopLimit: unicast ? unicastTtl : 255,
      receiveBufferBytes:
        receiveBuffer === undefined || "bytes" in receiveBuffer
          ? receiveBuffer?.bytes
          : receiveBuffer.mtus * (link?.mtuBytes ?? DEFAULT_MTU),
      ...(authentication?.type === "AH" ? { protocol: AH_PROTOCOL } : {}),
    };
  }

  #packets(priority: number, source: IpAddress, ahSequence: number): AdvertPacket[] {
    const wallMs = this.#ports.clock.wall();
    return advertPackets(this.#settings, {
      priority,
      source,
      ahSequence,
      trailer: (message) => this.#security.trailer(message, source, wallMs),
      nextId: () => {
        this.#ipId = (this.#ipId + 1) & 0xffff || 1; // 0 would let the kernel choose
        return this.#ipId;
      },
    });
  }

  #receive(packet: ReceivedAdvert): void {
    const source = this.#source;
    if (source === undefined || this.#state.role === "init" || this.#state.role === "fault") return;
    if (packet.source.length !== source.length || compareIp(packet.source, source) === 0) return;
    this.#count("advertsReceived");
    const verdict = judge(this.#settings, packet, {
      lastSource: this.#lastAccepted,
      security: this.#security,
      wallMs: this.#ports.clock.wall(),
    });
    if (verdict.kind === "drop") {
      this.drops.set(verdict.reason, (this.drops.get(verdict.reason) ?? 0) + 1);
      this.#complain(`received advert from ${printIp(packet.source)}: ${verdict.text}`);
      return;
    }
    if (verdict.note !== undefined) this.#complain(verdict.note);
    if (verdict.hasOldChecksum === true) {
      this.#log("notice", "Setting unicast VRRPv3 checksum to old version");
      this.#settings = { ...this.#settings, unicastChecksum: "old" };
    }
    const isCopy =
      (packet.id ?? 0) !== 0 &&
      packet.id === this.#lastId &&
      this.#lastAccepted !== undefined &&
      equalBytes(this.#lastAccepted, packet.source);
    this.#lastAccepted = packet.source.slice();
    this.#lastId = packet.id;
    const atMs = this.#ports.clock.now();
    if (verdict.priority !== PRIORITY_STOP) {
      this.advertMs = atMs;
      this.heardMs = atMs;
    }
    this.feed({
      kind: "advert",
      atMs,
      source: packet.source.slice(),
      isHigher: compareIp(packet.source, source) > 0,
      priority: verdict.priority,
      intervalMs: verdict.intervalMs,
      isCopy,
      hasWaited: packet.hasWaited === true,
    });
  }

  #perform(effects: readonly RouterEffect[], nowMs: number): void {
    if (effects.some(({ kind }) => kind === "claim")) this.#guard();
    for (const effect of effects) this.#performOne(effect, nowMs);
    const isReleased = this.#state.role !== "active" && effects.some(({ kind }) => kind === "release");
    if (isReleased) this.#ports.guard(this.#settings.name, undefined);
  }

  #performOne(effect: RouterEffect, nowMs: number): void {
    switch (effect.kind) {
      case "send":
        this.#send(effect.priority);
        break;
      case "claim":
        for (const address of this.addresses) this.#change(claimAddress, address);
        this.#hooks.claimed(this);
        break;
      case "release":
        this.#announcer.cancel();
        this.#hooks.releasing(this);
        for (const address of this.addresses) this.#change(releaseAddress, address);
        this.#quietLinks();
        break;
      case "announce":
        this.#plan(effect.cause, nowMs);
        break;
      case "ask":
        this.#hooks.asks(this);
        break;
      case "event":
        this.#hooks.event(this, effect.event);
        break;
      case "count":
        this.#count(effect.counter);
        break;
      case "log":
        this.#ports.log.write(effect.level, effect.text);
        break;
      case "role":
        break;
    }
  }

  #send(priority: number): void {
    const source = this.#source;
    const place = this.#exit ?? this.#place;
    if (source === undefined || place === undefined) return;
    const isAh = this.#settings.authentication?.type === "AH";
    const sequence = isAh ? this.#security.nextAhSequence() : 0;
    for (const { bytes, destination } of this.#packets(priority, source, sequence)) {
      const result = place.send(bytes, destination);
      if (result < 0) this.#complain(`send advert error ${-result}`);
      else this.#count("advertsSent");
    }
    if (isAh && this.#state.role === "active" && this.#security.isGuardOld) this.#guard();
  }

  #guard(): void {
    const source = this.#source;
    if (source === undefined) return;
    const farewell: Farewell = {
      hasDetours: false,
      router: this.#settings.name,
      socket: this.#exitSettings(source),
      packets: this.#packets(PRIORITY_STOP, source, this.#security.guardedAhSequence()),
      renewal: this.#renewal(source),
      addresses: this.addresses.flatMap((address) => {
        const link = linkNamed(this.#view, address.interface);
        if (link === undefined) return [];
        const { linkIndex, ip, prefixLength } = addressSettings(address, link.index);
        return [{ linkIndex, ip, prefixLength, peer: address.peer }];
      }),
    };
    this.#ports.guard(this.#settings.name, farewell);
  }

  #renewal(source: IpAddress): Renewal | undefined {
    const { version, virtualRouterId: vrid, authHmac } = this.#settings;
    if (authHmac === undefined || authHmac.mode === "receive-only") return undefined;
    return { version, vrid, source, key: authHmac.activeKey };
  }

  #change(change: typeof claimAddress, address: VirtualAddress): void {
    const link = linkNamed(this.#view, address.interface);
    if (link === undefined) return;
    const failure = change(this.#ports.routing, address, link.index);
    if (failure !== undefined) this.#log("error", failure);
  }

  /** The links with virtual MAC addresses have nothing more to ask. */
  #quietLinks(): void {
    for (const { name } of virtualLinksOf(this.#settings)) {
      const link = linkNamed(this.#view, name);
      const failure = link === undefined ? undefined : this.#ports.virtualLinks.forgetNeighbours(link.index);
      if (failure !== undefined) this.#log("warn", `${name}: ${failure.message}`);
    }
  }

  #plan(cause: AnnounceCause, nowMs: number): void {
    this.#announcer.plan(cause, nowMs);
    this.#announce(nowMs);
  }

  #announce(nowMs: number): void {
    if (this.#state.role !== "active") return;
    const addresses = this.addresses;
    if (this.#announcer.begins(nowMs)) for (const address of addresses) this.#logAnnouncement(address);
    for (const index of this.#announcer.due(nowMs, addresses.length, this.#pace(addresses))) {
      const address = addresses[index];
      if (address !== undefined) this.#sendAnnouncement(address);
    }
  }

  /** Announcements of all routers on an interface are held apart, on the physical one under a virtual MAC. */
  #pace(addresses: readonly VirtualAddress[]): Pace {
    const { announce } = this.#settings;
    const at = (index: number): [string, 4 | 6] => {
      const { address, interface: name } = addresses[index] as VirtualAddress;
      return [baseOf(this.#settings, name) ?? "", address.length === 4 ? 4 : 6];
    };
    return {
      readyMs: (index) => this.#paces.readyMs(...at(index), announce),
      sent: (index, nowMs) => this.#paces.sent(...at(index), announce, nowMs),
    };
  }

  #planExtra(nowMs: number): void {
    const isDue = this.#state.role === "active" && extraAnnouncements(this.#settings).length > 0;
    this.#extraMs = isDue ? nowMs + this.#settings.announce.extraIntervalMs : Number.POSITIVE_INFINITY;
  }

  /** Switches forget a MAC address that sends nothing. */
  #announceExtra(nowMs: number): void {
    if (this.#extraMs > nowMs) return;
    this.#extraMs = nowMs + this.#settings.announce.extraIntervalMs;
    for (const address of extraAnnouncements(this.#settings)) {
      this.#logAnnouncement(address);
      this.#sendAnnouncement(address);
    }
  }

  #logAnnouncement(address: VirtualAddress): void {
    const what = address.address.length === 4 ? "gratuitous ARPs" : "Unsolicited Neighbour Adverts";
    const on = address.interface ?? this.#settings.interface;
    this.#log("notice", `Sending/queueing ${what} on ${on} for ${printIp(address.address)}`);
  }

  #sendAnnouncement({ address, interface: name }: VirtualAddress): void {
    const link = linkNamed(this.#view, name);
    if (link === undefined || link.mac.length !== 6) return;
    let socket = this.#frames.get(link.index);
    if (socket === undefined) {
      try {
        socket = this.#ports.segments.openFrames(link.index);
      } catch (error) {
        this.#complain(`cannot announce ${printIp(address)}: ${(error as Error).message}`);
        return;
      }
      this.#frames.set(link.index, socket);
    }
    const frame =
      address.length === 4
        ? encodeGratuitousArp(link.mac, address)
        : encodeUnsolicitedAdvert({ target: address, mac: link.mac, isRouter: false }, address);
    const result = socket.send(frame);
    if (result < 0) this.#complain(`cannot announce ${printIp(address)}: errno ${-result}`);
  }

  #record({ from, to, reason }: Extract<RouterEffect, { kind: "role" }>): void {
    const { name: instance } = this.#settings;
    const { priority } = this.#state;
    this.#ports.record({ kind: "role", instance, from: ROLE_NAMES[from], to: ROLE_NAMES[to], reason, priority });
  }

  #count(counter: Counter | "advertsReceived"): void {
    this.counters.set(counter, (this.counters.get(counter) ?? 0) + 1);
  }

  #log(level: Level, text: string): void {
    this.#ports.log.write(level, `(${this.#settings.name}) ${text}`);
  }

  /** Says the same thing about the network only now and then: adverts may come a hundred times a second. */
  #complain(text: string): void {
    const nowMs = this.#ports.clock.now();
    const last = this.#complaints.get(text);
    if (last !== undefined && nowMs - last < COMPLAINT_PAUSE_MS) return;
    if (this.#complaints.size >= 64) this.#complaints.clear();
    this.#complaints.set(text, nowMs);
    this.#log("notice", text);
  }
}

function addressName(address: VirtualAddress): string {
  return `${printIp(address.address)}/${address.prefixLength} ${address.interface}`;
}

/** An explicit `garp_master_refresh 0` is obeyed. */
function newAnnouncer({ announce, where }: VrrpInstance): Announcer {
  return new Announcer(announce, where.has("garp_master_refresh") ? 0 : QUIET_REFRESH_MS);
}
