/** The node's side of a pair of Tandem nodes: the peer channel, the hand-overs over it, and what the kernel is asked to do for them. */
import { equalBytes } from "../base/bytes.ts";
import type { IpAddress } from "../base/ip.ts";
import { TANDEM_VERSION } from "../base/version.ts";
import type { Hello } from "../wire/peer/message.ts";
import { type HandoverResult, Handovers, type Unit } from "./handovers.ts";
import { KeptAddresses } from "./kept-addresses.ts";
import { isLinkLocal, type LinkView, linkNamed, SCOPE_LINK } from "./links.ts";
import { type PartnerRecord, PartnerRecords, type RecordKind } from "./partner-records.ts";
import { type Partner, PeerChannel, type PeerPlace } from "./peer-channel.ts";
import type { NodeConfig, NodePorts } from "./ports.ts";
import type { Router } from "./router.ts";

/** What the node does for its partnership. */
export interface PartnershipHost {
  readonly view: LinkView;
  readonly routers: readonly Router[];
  readonly config: NodeConfig;
  unitOf(router: Router): Unit;
  assessedPriority(router: Router): number;
  dampedPriority(router: Router): number;
  doubt(unit: Unit): string | undefined;
  reassess(): void;
  /** Deadlines may have moved. */
  rearm(): void;
}

export class Partnership {
  readonly #ports: NodePorts;
  readonly #host: PartnershipHost;
  readonly #kept: KeptAddresses;
  readonly handovers: Handovers;
  readonly records: PartnerRecords;
  #channel: PeerChannel | undefined;
  #key: string | undefined;
  #port = 0;
  #supported: ReturnType<NodePorts["detours"]["supports"]> | undefined;
  #draining: readonly string[] = [];
  /** Hellos are due behind the event that is being handled. */
  #hasChanged = false;

  constructor(ports: NodePorts, host: PartnershipHost) {
    this.#ports = ports;
    this.#host = host;
    this.#kept = new KeptAddresses(ports, host.view, () => host.config.forwarded);
    this.handovers = new Handovers(
      {
        log: ports.log,
        now: () => ports.clock.now(),
        randomId: () => this.#randomId(),
        unitOf: (router) => host.unitOf(router),
        get routers() {
          return host.routers;
        },
        partners: () => this.partners,
        order: (partner, order) => this.#channel?.send(partner, order),
        assessedPriority: (router) => host.assessedPriority(router),
        dampedPriority: (router) => host.dampedPriority(router),
        linkIndexOf: (router) => linkNamed(host.view, router.settings.interface)?.index,
        doubt: (unit) => host.doubt(unit),
        reassess: () => host.reassess(),
        changed: () => this.#changed(),
      },
      this.#kept,
    );
    const partnership = this;
    this.records = new PartnerRecords({
      get partners() {
        return partnership.partners;
      },
      now: () => ports.clock.now(),
      randomId: () => this.#randomId(),
      send: (partner, message) => this.#channel?.send(partner, message),
      own: (what, settle) => ports.peer.ownRecord(what, settle),
    });
  }

  #randomId(): number {
    return new DataView(this.#ports.peer.random(4).slice().buffer).getUint32(0) || 1;
  }

  get partners(): readonly Partner[] {
    return this.#channel?.partners ?? [];
  }

  get hasChannel(): boolean {
    return this.#channel !== undefined;
  }

  /** What the configuration says; again after a reload. */
  configure(): void {
    const { key, port, handoverLimitMs } = this.#host.config.globals.peer;
    this.handovers.limitMs = handoverLimitMs;
    if (key === this.#key && port === this.#port) return;
    const known = this.partners;
    this.#channel?.close();
    this.#channel = undefined;
    for (const { session } of known) this.handovers.partnerLost(session);
    this.#key = key;
    this.#port = port;
    if (key === undefined) return;
    if (this.#supported === undefined) {
      // What a predecessor that was killed has left goes first.
      this.#ports.detours.clear();
      this.#supported = this.#ports.detours.supports();
    }
    const { sockets, seal, random } = this.#ports.peer;
    const { clock } = this.#ports;
    const clocks = { now: () => clock.now(), wall: () => clock.wall() };
    const host = this.#host;
    this.#channel = new PeerChannel(
      { sockets, seal: seal(key), port, log: this.#ports.log, ...clocks, random },
      {
        hello: (linkIndex) => this.#hello(linkIndex),
        onOrder: (partner, order) => this.handovers.order(partner, order),
        onHello: (partner) => this.handovers.hello(partner),
        onAsk: (partner, ask) => this.records.onAsk(partner, ask),
        onPart: (partner, part) => this.records.onPart(partner, part),
        onDelivered: () => {
          this.settle();
          host.rearm();
        },
        onLost: (session) => this.handovers.partnerLost(session),
        onChange: () => this.#ports.changed(),
      },
    );
  }

  /** Follows the routers to their links. */
  place(): void {
    const places = new Map<string, PeerPlace>();
    for (const { settings, source } of this.#host.routers) {
      const link = linkNamed(this.#host.view, settings.interface);
      if (source === undefined || link === undefined) continue;
      const key = `${link.index} ${source.length}`;
      const known = places.get(key);
      places.set(key, {
        link: { index: link.index, name: link.name },
        source: known?.source ?? source,
        group: known?.group ?? (settings.unicast ? undefined : settings.multicastGroup),
        peers: [...(known?.peers ?? []), ...settings.unicastPeers.map(({ address }) => address)].filter(isFirst),
      });
    }
    this.#channel?.place([...places.values()], this.#ports.clock.now());
  }

  /** A router of the configuration is new: addresses that it kept in an earlier life go. */
  clean(router: Router): void {
    this.#kept.clean(router.addresses);
  }

  get nextMs(): number {
    return Math.min(this.handovers.nextMs, this.records.nextMs, this.#channel?.nextMs ?? Number.POSITIVE_INFINITY);
  }

  ring(atMs: number): void {
    this.#channel?.ring(atMs);
    if (this.handovers.nextMs <= atMs) this.handovers.ring(atMs);
    this.records.ring(atMs);
    this.settle();
  }

  /** Tells what has changed, behind every event. */
  settle(): void {
    if (!this.#hasChanged) return;
    this.#hasChanged = false;
    const addresses = this.handovers.drainingAddresses;
    if (addresses.join() !== this.#draining.join()) this.#ports.draining(addresses);
    this.#draining = addresses;
    this.#channel?.sayHello(this.#ports.clock.now());
    this.#ports.changed();
  }

  #changed(): void {
    this.#hasChanged = true;
  }

  /** Gives these instances away, each with its sync group; `names` undefined: all that are active. `settle` is called once. */
  handOver(
    names: readonly string[] | undefined,
    options: { readonly limitMs: number | undefined; readonly mayLower: boolean },
    settle: (results: readonly HandoverResult[]) => void,
  ): void {
    const { routers } = this.#host;
    const chosen = routers.filter(({ settings, state }) =>
      names === undefined ? state.role === "active" : names.includes(settings.name),
    );
    const units = new Map(
      chosen.map((router) => {
        const unit = this.#host.unitOf(router);
        return [unit.map(({ settings }) => settings.name).join(" "), unit];
      }),
    );
    const results: HandoverResult[] = (names ?? [])
      .filter((name) => !routers.some(({ settings }) => settings.name === name))
      .map((name) => ({
        instances: [name],
        isMoved: false,
        how: "hitless",
        to: undefined,
        reason: "there is no such instance",
      }));
    let open = units.size;
    const add = (result: HandoverResult): void => {
      results.push(result);
      if (--open === 0) settle(results);
    };
    if (open === 0) settle(results);
    const limitMs = options.limitMs ?? this.handovers.limitMs;
    for (const unit of [...units.values()]) this.handovers.handOver(unit, limitMs, options.mayLower, add);
    this.settle();
    this.#host.rearm();
  }

  /** By order of the operator: no address is wanted, or is wanted again. */
  drain(isDrained: boolean): void {
    this.handovers.drain(isDrained);
    this.settle();
  }

  /** Nobody looks after this node: gives away what is active, and wants nothing until `attend`. Again for partners that have come since. */
  leaveUnattended(): void {
    const given = this.handovers.leaveUnattended();
    this.handOver(undefined, { limitMs: undefined, mayLower: true }, (results) => {
      given(results);
      this.settle();
    });
  }

  /** Somebody looks after it again. */
  attend(): void {
    this.handovers.attend();
    this.settle();
  }

  /** The last words of this node, when its routers have left. */
  stop(): void {
    this.handovers.stop();
    this.#channel?.sayHello(this.#ports.clock.now());
    this.#channel?.close();
    this.#channel = undefined;
  }

  /** Asks the partners for records of this kind. */
  askRecords(what: RecordKind, settle: (records: readonly PartnerRecord[]) => void): void {
    this.records.ask(what, settle);
    this.#host.rearm();
  }

  #hello(linkIndex: number): Omit<Hello, "time"> {
    const routers = this.#host.routers.filter(
      ({ settings }) => linkNamed(this.#host.view, settings.interface)?.index === linkIndex,
    );
    return {
      kind: "hello",
      name: this.#host.config.globals.routerId ?? this.#ports.peer.hostName,
      version: TANDEM_VERSION,
      detours4: this.#supported?.ipv4 === true,
      detours6: this.#supported?.ipv6 === true,
      isDrained: this.handovers.isDrained,
      addresses: this.#ownAddresses(linkIndex, routers),
      routers: routers.map((router) => ({
        vrid: router.settings.virtualRouterId,
        family: router.settings.family,
        role: router.state.role,
        priority: router.state.priority,
        keeps: this.handovers.leftOf(router) !== undefined,
        left: this.handovers.leftOf(router) ?? 0,
      })),
    };
  }

  /** Of each family the one that adverts come from, else the first that is not virtual. */
  #ownAddresses(linkIndex: number, routers: readonly Router[]): readonly IpAddress[] {
    const virtual = this.#host.routers.flatMap(({ addresses }) => addresses.map(({ address }) => address));
    const candidates = routers.flatMap(({ source }) => (source === undefined ? [] : [source]));
    for (const { linkIndex: index, ip, scope, tentative } of this.#host.view.addresses) {
      if (index !== linkIndex || tentative || virtual.some((other) => equalBytes(other, ip))) continue;
      if (ip.length === 16 ? isLinkLocal(ip) : scope < SCOPE_LINK) candidates.push(ip);
    }
    return [4, 16].flatMap((size) => candidates.find(({ length }) => length === size) ?? []);
  }
}

function isFirst(address: IpAddress, index: number, all: readonly IpAddress[]): boolean {
  return all.findIndex((other) => equalBytes(other, address)) === index;
}
