/**
 * What two nodes do in their kernels while they share an address: the old owner keeps it on the loopback, in silence; the new
 * one lays detours. This is the only writer of both, so that what is wanted is always written down whole.
 */
import { equalBytes } from "../base/bytes.ts";
import { compareIp, type IpAddress, printIp } from "../base/ip.ts";
import type { VirtualAddress } from "../conf/keepalived/config.ts";
import type { ServiceMatch } from "../conf/keepalived/lvs/config.ts";
import type { Detour, DetourState, Forwarded, Silence } from "../io/detour.ts";
import { type Address, type AddressSettings, EADDRNOTAVAIL, SCOPES } from "../io/routing.ts";
import { type LinkView, linkNamed } from "./links.ts";
import type { Farewell, NodePorts } from "./ports.ts";

/** How our own addresses on the loopback are told from those that somebody else has put there. IPv6 has no labels. */
const LABEL = "lo:tandem";

/** What the supervisor calls them. */
const DETOURS = "detours";

interface Kept {
  readonly addresses: readonly VirtualAddress[];
  /** Those that were put on the loopback; others were there already. */
  readonly own: readonly AddressSettings[];
  readonly speakAs: IpAddress | undefined;
  isSilent: boolean;
}

export class KeptAddresses {
  readonly #ports: Pick<NodePorts, "routing" | "detours" | "guard" | "log">;
  readonly #view: LinkView;
  readonly #services: () => readonly ServiceMatch[];
  readonly #kept = new Map<string, Kept>();
  /** Newest first: the detour that was laid last is the one that counts. */
  #detours: { readonly key: string; readonly detours: readonly Detour[] }[] = [];

  /** `services`: what virtual servers are for, as the configuration has it now. */
  constructor(
    ports: Pick<NodePorts, "routing" | "detours" | "guard" | "log">,
    view: LinkView,
    services: () => readonly ServiceMatch[],
  ) {
    this.#ports = ports;
    this.#view = view;
    this.#services = services;
  }

  isKept(router: string): boolean {
    return this.#kept.has(router);
  }

  /** Puts the addresses of a router on the loopback, before they leave their links. A sentence when that is not possible. */
  keep(router: string, addresses: readonly VirtualAddress[], speakAs: IpAddress | undefined): string | undefined {
    this.letGo(router);
    const loopback = this.#loopback();
    if (loopback === undefined) return "this node has no loopback link";
    const own: AddressSettings[] = [];
    const present = this.#ports.routing.addresses(loopback);
    let failure: string | undefined;
    for (const { address } of addresses) {
      if (present.some(({ ip }) => equalBytes(ip, address))) continue;
      const settings = loopbackSettings(address, loopback);
      failure = this.#ports.routing.addAddress(settings)?.message;
      if (failure !== undefined) break;
      own.push(settings);
    }
    this.#kept.set(router, { addresses, own, speakAs, isSilent: false });
    this.#ports.guard(guardKey(router), farewellOf(router, own));
    if (failure !== undefined) this.letGo(router);
    return failure;
  }

  /** The addresses leave their links now: the loopback must not answer for them. */
  silence(router: string): void {
    const kept = this.#kept.get(router);
    if (kept === undefined || kept.isSilent) return;
    kept.isSilent = true;
    this.#apply();
  }

  /** The addresses go from the loopback. */
  letGo(router: string): void {
    const kept = this.#kept.get(router);
    if (kept === undefined) return;
    this.#kept.delete(router);
    for (const settings of kept.own) {
      const failure = this.#ports.routing.removeAddress(settings);
      if (failure !== undefined && failure.errno !== EADDRNOTAVAIL)
        this.#ports.log.write("error", `cannot remove ${printIp(settings.ip)} from the loopback: ${failure.message}`);
    }
    this.#ports.guard(guardKey(router), undefined);
    if (kept.isSilent) this.#apply();
  }

  /** Lays detours under a key; a sentence when the kernel refuses, and then there are none. */
  lay(key: string, detours: readonly Detour[]): string | undefined {
    this.#detours.unshift({ key, detours });
    this.#ports.guard(DETOURS, farewellOf(DETOURS, []));
    const failure = this.#apply();
    if (failure !== undefined) {
      this.lift(key);
      return failure;
    }
    const unforgotten = this.#ports.detours.forgetEnded(detours.map(({ address }) => address));
    if (unforgotten !== undefined)
      this.#ports.log.write(
        "info",
        `connections from client ports that were used here within the last minute may be lost: ${unforgotten.message}`,
      );
    return undefined;
  }

  lift(key: string): void {
    const left = this.#detours.filter((laid) => laid.key !== key);
    if (left.length === this.#detours.length) return;
    this.#detours = left;
    this.#apply();
    if (left.length === 0) this.#ports.guard(DETOURS, undefined);
  }

  /** How many connections with the kept addresses of these routers there are. */
  connections(routers: readonly string[], atMost: number): number {
    const addresses = routers.flatMap((router) => this.#kept.get(router)?.addresses ?? []);
    return this.#ports.detours.connections(
      addresses.map(({ address }) => address),
      atMost,
    );
  }

  /** Why connections to some of these addresses are lost in spite of a detour; "" when they are not. */
  warning(addresses: readonly VirtualAddress[]): string {
    const bound = this.#ports.detours.listeners(addresses.map(({ address }) => address)).map(printIp);
    return bound.length === 0
      ? ""
      : `the new owner's server listens on ${bound.join(", ")} by name, so open connections to that are lost`;
  }

  /** Removes what a predecessor that was killed has left on the loopback. */
  clean(addresses: readonly VirtualAddress[]): void {
    const loopback = this.#loopback();
    if (loopback === undefined) return;
    for (const left of this.#ports.routing.addresses(loopback))
      if (isOurs(left) && addresses.some(({ address }) => equalBytes(address, left.ip)))
        this.#ports.routing.removeAddress(loopbackSettings(left.ip, loopback));
  }

  #loopback(): number | undefined {
    for (const { index, isLoopback } of this.#view.links) if (isLoopback) return index;
    return undefined;
  }

  #apply(): string | undefined {
    const silences: Silence[] = [...this.#kept.values()].flatMap(({ addresses, speakAs, isSilent }) =>
      isSilent && speakAs?.length === 4
        ? addresses.filter(({ address }) => address.length === 4).map(({ address }) => ({ address, speakAs }))
        : [],
    );
    const state: DetourState = { detours: this.#detours.flatMap(({ detours }) => detours), silences };
    const failure = this.#ports.detours.set(state);
    if (failure !== undefined) this.#ports.log.write("error", failure.message);
    return failure?.message;
  }

  /** Where each address is to be reached; undefined when the other node has no address there that is known. */
  detoursTo(
    addresses: readonly VirtualAddress[],
    addressOn: (linkIndex: number, sizeBytes: number) => IpAddress | undefined,
  ): readonly Detour[] | undefined {
    const detours: Detour[] = [];
    for (const { address, interface: name } of addresses) {
      const link = linkNamed(this.#view, name);
      const to = link === undefined ? undefined : addressOn(link.index, address.length);
      if (link === undefined || to === undefined) return undefined;
      detours.push({ address, to, linkIndex: link.index, forwarded: forwardedAt(address, this.#services()) });
    }
    return detours;
  }
}

/** What virtual servers are for at an address; marks may be on packets to any. */
export function forwardedAt(address: IpAddress, services: readonly ServiceMatch[]): Forwarded {
  const isFor = ({ ip, end }: ServiceMatch["ranges"][number]): boolean =>
    ip.length === address.length && compareIp(ip, address) <= 0 && compareIp(address, end) <= 0;
  const ports = services.flatMap(({ ranges }) => ranges.filter(isFor).map(({ port }) => port));
  const marks = services.flatMap((service) => service.marks.map(({ mark }) => mark));
  return { ports: [...new Set(ports)], marks: [...new Set(marks)] };
}

function guardKey(router: string): string {
  return `${router} on the loopback`;
}

/** Found by nobody who looks for an address to speak from: of host scope (IPv4), deprecated (IPv6). */
function loopbackSettings(ip: IpAddress, linkIndex: number): AddressSettings {
  if (ip.length === 4) return { linkIndex, ip, prefixLength: 32, scope: SCOPES.host, label: LABEL };
  return { linkIndex, ip, prefixLength: 128, nodad: true, preferredS: 0 };
}

function isOurs({ ip, label, preferredS }: Address): boolean {
  return ip.length === 4 ? label === LABEL : preferredS === 0;
}

/** If this process dies, its parent takes all this away; nothing has to be said to the network. */
function farewellOf(router: string, own: readonly AddressSettings[]): Farewell {
  return {
    router,
    socket: undefined,
    packets: [],
    renewal: undefined,
    addresses: own.map(({ linkIndex, ip, prefixLength }) => ({ linkIndex, ip, prefixLength, peer: undefined })),
    hasDetours: true,
  };
}
