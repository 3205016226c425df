/**
 * The links that a node makes for its instances (`use_vmac`, `use_ipvlan`): made when their base is there, found again after a crash,
 * made anew when somebody removes them, removed at the end. What the kernel does to them is heard from the node's watch.
 * keepalived's counterpart: vrrp_vmac.c.
 */
import { type Bytes, equalBytes } from "../base/bytes.ts";
import type { IpAddress } from "../base/ip.ts";
import type { VirtualLink, VrrpInstance } from "../conf/keepalived/config.ts";
import { type AddressSettings, EADDRNOTAVAIL, ENODEV, type Link } from "../io/routing.ts";
import type { ArpSettings, FoundLink, VirtualLinkSettings } from "../io/virtual-links.ts";
import { isLinkLocal, type LinkView, virtualLinksOf } from "./links.ts";
import type { Farewell, NodePorts } from "./ports.ts";

/** What the supervisor calls them. */
const GUARD = "virtual links";
/** So that a base does not answer ARP for the addresses on the links above it. */
const ARP_OF_A_BASE: ArpSettings = { arpIgnore: 1, arpFilter: 1 };
/** The prefix of an address that adverts come from. */
const LINK_LOCAL_BITS = 64;

interface Made {
  readonly link: VirtualLink;
  readonly index: number;
  readonly baseIndex: number;
  /** The watch has told of it. */
  isSeen: boolean;
  /** It has been seen to run, or cannot run. */
  isReady: boolean;
  /** Where its adverts come from, when that had to be set on it. */
  source: AddressSettings | undefined;
}

export class NodeLinks {
  readonly #ports: Pick<NodePorts, "virtualLinks" | "routing" | "guard" | "log">;
  readonly #made = new Map<string, Made>();
  /** By index: what they were before. */
  readonly #bases = new Map<number, ArpSettings>();
  /** Reasons that have been said, so that they are not said with every event. */
  readonly #refused = new Map<string, string>();

  constructor(ports: Pick<NodePorts, "virtualLinks" | "routing" | "guard" | "log">) {
    this.#ports = ports;
  }

  /** Makes what is missing and removes what nobody wants any more. `links` is what the node knows. */
  ensure(instances: readonly VrrpInstance[], links: Iterable<Link>): void {
    const wanted = new Map<string, readonly [VrrpInstance, VirtualLink]>();
    for (const instance of instances)
      for (const link of virtualLinksOf(instance)) wanted.set(link.name, [instance, link]);
    if (wanted.size === 0 && this.#made.size === 0) return;
    const known = new Map([...links].map((link) => [link.name, link]));
    let hasChanged = this.#forgetLost(known);
    for (const [name, made] of [...this.#made]) {
      const next = wanted.get(name)?.[1];
      if (next !== undefined && isSameLink(made.link, next)) continue;
      this.#remove(made);
      hasChanged = true;
    }
    const fresh: (readonly [VrrpInstance, Made, VirtualLinkSettings])[] = [];
    for (const [instance, link] of wanted.values()) {
      const base = known.get(link.base);
      if (base === undefined || this.#made.has(link.name)) continue;
      const settings = settingsOf(link, base.index);
      const index = this.#findOrCreate(instance, settings);
      if (index === undefined) continue;
      const made: Made = { link, index, baseIndex: base.index, isSeen: false, isReady: false, source: undefined };
      this.#made.set(link.name, made);
      if (link.kind === "macvlan" && link.family === 4) this.#keepSilent(base.index);
      fresh.push([instance, made, settings]);
    }
    // While they are down yet: they must not say a word with their own MAC address.
    if (hasChanged || fresh.length > 0) this.#settle();
    for (const [instance, made, settings] of fresh) this.#bringUp(instance, made, settings);
  }

  /** True for a moment: the link has been made, and the watch has not told yet that it runs. */
  isComing(instance: VrrpInstance): boolean {
    return virtualLinksOf(instance).some(({ name }) => this.#made.get(name)?.isReady === false);
  }

  /** IPv6 adverts need an address on the link that they leave by: that of the base, which is no virtual one. */
  giveSource(instance: VrrpInstance, source: IpAddress | undefined, view: LinkView): void {
    const own = instance.virtualLink;
    const made = own === undefined ? undefined : this.#made.get(own.name);
    if (own === undefined || made?.isSeen !== true) return;
    if (own.kind !== "macvlan" || own.family === 4 || !own.carriesAdverts || source === undefined) return;
    if (made.source !== undefined && equalBytes(made.source.ip, source)) {
      for (const { linkIndex, ip } of view.addresses) if (linkIndex === made.index && equalBytes(ip, source)) return; // somebody might have removed it
    } else if (made.source !== undefined) this.#ports.routing.removeAddress(made.source);
    const isNew = made.source === undefined || !equalBytes(made.source.ip, source);
    made.source = sourceSettings(made.index, source);
    if (isNew) this.#settle();
    this.#complain(instance, `${own.name} source`, this.#ports.routing.addAddress(made.source)?.message);
  }

  /** Removes everything: the node leaves. */
  stop(): void {
    if (this.#made.size === 0) return;
    for (const made of [...this.#made.values()]) this.#remove(made);
    this.#settle();
  }

  /** What the kernel has removed: with its base, or because somebody wanted it. */
  #forgetLost(known: ReadonlyMap<string, Link>): boolean {
    let hasChanged = false;
    for (const [name, made] of [...this.#made]) {
      const link = known.get(name);
      const isThere = link?.index === made.index;
      if (isThere) made.isSeen = true;
      if (isThere && (link.isRunning || known.get(made.link.base)?.isRunning !== true)) made.isReady = true;
      if (isThere || !(made.isSeen || known.get(made.link.base)?.index !== made.baseIndex)) continue;
      this.#made.delete(name);
      hasChanged = true;
    }
    return hasChanged;
  }

  #bringUp(instance: VrrpInstance, made: Made, settings: VirtualLinkSettings): void {
    const { link, index, baseIndex } = made;
    const { name, address: own } = link;
    const failure = this.#ports.virtualLinks.prepare(index, settings);
    if (failure !== undefined) made.isReady = true; // what it lacks is a fault
    this.#complain(instance, `${name} settings`, failure?.message);
    if (link.forcesNotification) this.#ports.virtualLinks.announceLink(baseIndex);
    if (own === undefined) return;
    const flags = own.address.length === 16 ? { nodad: true } : {};
    const refused = this.#ports.routing.addAddress({
      linkIndex: index,
      ip: own.address,
      prefixLength: own.prefixLength,
      ...flags,
    });
    this.#complain(instance, `${name} address`, refused?.message);
  }

  /** The index of the link as it is wanted; undefined: the kernel or somebody else's link stands against it, which has been said. */
  #findOrCreate(instance: VrrpInstance, settings: VirtualLinkSettings): number | undefined {
    const { name, kind, baseIndex } = settings;
    const word = kind === "macvlan" ? "VMAC" : "IPVLAN";
    const say = (text: string): void => this.#ports.log.write("notice", `(${instance.name}) ${text}`);
    const present = this.#find(name);
    if (present !== undefined && (present.kind !== kind || !present.isOurKind)) {
      this.#complain(instance, name, `${word} ${name} conflicts with existing interface`);
      return undefined;
    }
    if (present?.baseIndex === baseIndex) {
      if (isAsWanted(present, settings)) {
        say(`Found matching interface ${name}`);
        return present.index;
      }
      if (kind === "macvlan") {
        const failure = this.#ports.virtualLinks.update(present.index, settings);
        this.#complain(instance, name, failure?.message);
        say(`Update old VMAC interface ${name} due to wrong MAC/mode`);
        return failure === undefined ? this.#find(name)?.index : undefined;
      }
    }
    if (present !== undefined) {
      say(`Removing old ${word} interface ${name} due to conflicting interface`);
      this.#ports.virtualLinks.remove(present.index);
    }
    if (kind === "macvlan") this.#evict(settings, say);
    const failure = this.#ports.virtualLinks.create(settings);
    this.#complain(
      instance,
      name,
      failure === undefined ? undefined : `Unable to create ${word} interface ${name}: ${failure.message}`,
    );
    if (failure !== undefined) return undefined;
    say(`Success creating ${word} interface ${name}`);
    return this.#find(name)?.index;
  }

  /** A predecessor has called the link with our MAC address otherwise: two on one base can't be up. */
  #evict({ baseIndex, mac }: VirtualLinkSettings, say: (text: string) => void): void {
    const old = this.#ports.virtualLinks
      .found()
      .find((link) => link.isOurKind && link.baseIndex === baseIndex && equalBytes(link.mac, mac));
    if (old === undefined || this.#made.has(old.name)) return;
    say(`Removing old VMAC interface ${old.name} due to conflicting interface`);
    this.#ports.virtualLinks.remove(old.index);
  }

  #find(name: string): FoundLink | undefined {
    return this.#ports.virtualLinks.found().find((link) => link.name === name);
  }

  #keepSilent(index: number): void {
    if (this.#bases.has(index)) return;
    const before = this.#ports.virtualLinks.arpSettings(index);
    if (before === undefined) return;
    this.#bases.set(index, before);
    this.#ports.virtualLinks.setArpSettings(index, ARP_OF_A_BASE);
  }

  #remove(made: Made): void {
    this.#made.delete(made.link.name);
    const failure = this.#ports.virtualLinks.remove(made.index);
    if (failure === undefined) this.#ports.log.write("notice", `Success removing interface ${made.link.name}`);
    else if (failure.errno !== ENODEV && failure.errno !== EADDRNOTAVAIL)
      this.#ports.log.write("error", `cannot remove ${made.link.name}: ${failure.message}`);
  }

  /** After every change: bases without links are as they were, the rules name the links that there are, and the guard knows. */
  #settle(): void {
    const made = [...this.#made.values()];
    for (const [index, before] of [...this.#bases]) {
      if (made.some(({ baseIndex, link }) => baseIndex === index && link.family === 4)) continue;
      this.#bases.delete(index);
      this.#ports.virtualLinks.setArpSettings(index, before);
    }
    const macvlans = made.filter(({ link }) => link.kind === "macvlan");
    const failure = this.#ports.virtualLinks.quieten(
      macvlans.map(({ link, baseIndex, source }) => ({ name: link.name, baseIndex, hides: source?.ip })),
    );
    if (failure !== undefined && this.#refused.get(GUARD) !== failure.message) {
      this.#refused.set(GUARD, failure.message);
      const risk = "switches may learn the virtual MAC address from multicast reports of a backup";
      this.#ports.log.write("warn", `${risk}: ${failure.message}`);
    }
    this.#ports.guard(GUARD, made.length === 0 ? undefined : farewell(made, this.#bases));
  }

  #complain(instance: VrrpInstance, about: string, text: string | undefined): void {
    if (text === undefined) {
      this.#refused.delete(about);
      return;
    }
    if (this.#refused.get(about) === text) return;
    this.#refused.set(about, text);
    this.#ports.log.write("error", `(${instance.name}) ${text}`);
  }
}

/** Whether a running link can serve what is wanted now. */
function isSameLink(a: VirtualLink, b: VirtualLink): boolean {
  return (
    a.kind === b.kind &&
    a.base === b.base &&
    a.family === b.family &&
    a.ipvlanType === b.ipvlanType &&
    equalBytes(a.mac, b.mac) &&
    sameAddress(a.address?.address, b.address?.address)
  );
}

function sameAddress(a: Bytes | undefined, b: Bytes | undefined): boolean {
  return a === undefined || b === undefined ? a === b : equalBytes(a, b);
}

function isAsWanted(found: FoundLink, { kind, mac, ipvlanType }: VirtualLinkSettings): boolean {
  return kind === "macvlan" ? equalBytes(found.mac, mac) : found.ipvlanType === ipvlanType;
}

function settingsOf(
  { name, kind, mac, ipvlanType, group, family }: VirtualLink,
  baseIndex: number,
): VirtualLinkSettings {
  return { name, kind, mac, ipvlanType, group, family, baseIndex };
}

/** Not to be chosen as a source by anybody else: deprecated. */
function sourceSettings(linkIndex: number, ip: IpAddress): AddressSettings {
  const prefixLength = isLinkLocal(ip) ? LINK_LOCAL_BITS : ip.length * 8;
  return { linkIndex, ip, prefixLength, nodad: true, preferredS: 0 };
}

/** If this process dies, its parent takes the links away, behind all addresses. */
function farewell(made: readonly Made[], bases: ReadonlyMap<number, ArpSettings>): Farewell {
  return {
    router: GUARD,
    socket: undefined,
    packets: [],
    renewal: undefined,
    addresses: [],
    hasDetours: false,
    links: {
      made: made.map(({ index, link }) => ({ index, name: link.name })),
      bases: [...bases].map(([index, before]) => ({ index, before })),
    },
  };
}
