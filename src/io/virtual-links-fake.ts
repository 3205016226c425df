/** Virtual links without a kernel, on the links of a `FakeRouting`. */
import { equalBytes } from "../base/bytes.ts";
import { EADDRNOTAVAIL, ENODEV, type RoutingFailure } from "./routing.ts";
import type { FakeRouting } from "./routing-fake.ts";
import type { ArpSettings, FoundLink, QuietLink, VirtualLinkSettings, VirtualLinks } from "./virtual-links.ts";

const EEXIST = 17;

export class FakeVirtualLinks implements VirtualLinks {
  readonly #routing: FakeRouting;
  readonly #made = new Map<number, VirtualLinkSettings>();
  readonly #arp = new Map<number, ArpSettings>();
  quiet: readonly QuietLink[] = [];
  /** Links whose neighbours were forgotten, in order. */
  readonly forgotten: number[] = [];
  /** What every change answers. */
  failure: RoutingFailure | undefined;

  constructor(routing: FakeRouting) {
    this.#routing = routing;
  }

  found(): readonly FoundLink[] {
    return this.#routing.links().map(({ index, name, mac }) => {
      const made = this.#made.get(index);
      return {
        index,
        name,
        kind: made?.kind,
        baseIndex: made?.baseIndex,
        mac,
        isOurKind: made !== undefined,
        ipvlanType: made?.kind === "ipvlan" ? made.ipvlanType : undefined,
      };
    });
  }

  create(settings: VirtualLinkSettings): RoutingFailure | undefined {
    if (this.failure !== undefined) return this.failure;
    const { name, baseIndex, mac, kind } = settings;
    if (this.#routing.link(name) !== undefined) return { errno: EEXIST, message: `create ${kind} ${name}: EEXIST` };
    if (!this.#has(baseIndex)) return { errno: ENODEV, message: `create ${kind} ${name}: ENODEV` };
    const link = this.#routing.createLink({ name, isUp: false, ...(kind === "macvlan" ? { mac } : {}) });
    this.#made.set(link.index, settings);
    return undefined;
  }

  update(index: number, settings: VirtualLinkSettings): RoutingFailure | undefined {
    if (this.failure !== undefined) return this.failure;
    const { name } = settings;
    this.#routing.destroyLink(index);
    const link = this.#routing.createLink({ name, mac: settings.mac, isUp: false });
    this.#made.delete(index);
    this.#made.set(link.index, settings);
    return undefined;
  }

  prepare(index: number, { name, baseIndex, mac, kind }: VirtualLinkSettings): RoutingFailure | undefined {
    const isTaken = (link: FoundLink): boolean =>
      link.index !== index && link.baseIndex === baseIndex && equalBytes(link.mac, mac);
    if (kind === "macvlan" && this.found().some(isTaken)) return { errno: 98, message: `set ${name} up: EADDRINUSE` };
    return this.failure ?? this.#routing.setLinkUp(index, true);
  }

  remove(index: number): RoutingFailure | undefined {
    if (!this.#has(index)) return { errno: ENODEV, message: "remove link: ENODEV" };
    if (!this.#made.delete(index)) return { errno: EADDRNOTAVAIL, message: "remove link: not one of these" };
    this.#routing.destroyLink(index);
    return undefined;
  }

  arpSettings(index: number): ArpSettings | undefined {
    return this.#has(index) ? (this.#arp.get(index) ?? { arpIgnore: 0, arpFilter: 0 }) : undefined;
  }

  setArpSettings(index: number, settings: ArpSettings): RoutingFailure | undefined {
    if (!this.#has(index)) return { errno: ENODEV, message: "set link: ENODEV" };
    this.#arp.set(index, settings);
    return undefined;
  }

  announceLink(): RoutingFailure | undefined {
    return undefined;
  }

  forgetNeighbours(index: number): RoutingFailure | undefined {
    this.forgotten.push(index);
    return undefined;
  }

  quieten(links: readonly QuietLink[]): RoutingFailure | undefined {
    this.quiet = links;
    return undefined;
  }

  #has(index: number): boolean {
    return this.#routing.links().some((link) => link.index === index);
  }
}
