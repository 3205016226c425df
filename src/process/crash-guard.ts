/**
 * What the supervisor does at once when the VRRP process has died without a word: says goodbye in its place with the
 * adverts of priority 0 that it left behind, and removes the addresses that it held. The partner then waits only its skew
 * time, instead of three adverts and the skew time (keepalived: the new child removes them, 3.3 s of outage measured).
 */
import { printIp } from "../base/ip.ts";
import type { Log } from "../base/log.ts";
import type { Detours } from "../io/detour.ts";
import { NOT_THERE, type Routes } from "../io/routes.ts";
import { EADDRNOTAVAIL, ENODEV, type Routing, type RoutingFailure } from "../io/routing.ts";
import type { Segments } from "../io/segment.ts";
import type { VirtualLinks } from "../io/virtual-links.ts";
import { renew } from "../vrrp/advert-packets.ts";
import type { Farewell } from "../vrrp/ports.ts";

/** Remembers what each router would leave behind. */
export class CrashGuard {
  readonly #segments: Segments;
  readonly #routing: Routing;
  readonly #log: Log;
  readonly #detours: Detours;
  readonly #virtualLinks: VirtualLinks;
  readonly #routes: Routes;
  readonly #wallMs: () => number;
  readonly #farewells = new Map<string, Farewell>();

  /** `wallMs`: the time of day, which signed adverts carry. */
  constructor(
    segments: Segments,
    routing: Routing,
    detours: Detours,
    virtualLinks: VirtualLinks,
    routes: Routes,
    log: Log,
    wallMs: () => number,
  ) {
    this.#wallMs = wallMs;
    this.#virtualLinks = virtualLinks;
    this.#routes = routes;
    this.#segments = segments;
    this.#routing = routing;
    this.#detours = detours;
    this.#log = log;
  }

  /** The process holds these addresses now; undefined: none any more. */
  remember(router: string, farewell: Farewell | undefined): void {
    if (farewell === undefined) this.#farewells.delete(router);
    else this.#farewells.set(router, farewell);
  }

  /** Routers whose addresses are held. */
  get held(): readonly string[] {
    return [...this.#farewells.keys()];
  }

  /** Leaves the segment in the place of the dead process. All goodbyes go out before the first address is removed. */
  release(): void {
    const farewells = [...this.#farewells.values()];
    this.#farewells.clear();
    for (const farewell of farewells) this.#sayGoodbye(farewell);
    // Detours and what silences the loopback go last of all: until then clients may still be served.
    for (const { items } of farewells) if (items !== undefined) this.#removeItems(items);
    for (const { router, addresses, socket, links, items } of farewells) {
      if (links !== undefined || items !== undefined) continue;
      for (const address of addresses) {
        const { peer, ...rest } = address;
        const failure = this.#routing.removeAddress(peer === undefined ? rest : { ...rest, peer });
        if (failure !== undefined && failure.errno !== EADDRNOTAVAIL && failure.errno !== ENODEV)
          this.#log.write("error", `(${router}) cannot remove ${printIp(address.ip)}: ${failure.message}`);
      }
      const what = socket === undefined ? "no VIP is kept any more" : "0 priority sent, VIPs removed";
      this.#log.write("notice", `(${router}) released in place of the dead VRRP process: ${what}`);
    }
    for (const { links } of farewells) if (links !== undefined) this.#removeLinks(links);
    if (farewells.some(({ hasDetours }) => hasDetours)) this.#detours.clear();
  }

  #removeItems({ routes, rules }: NonNullable<Farewell["items"]>): void {
    for (const rule of rules) this.#removed("rule", this.#routes.removeRule(rule));
    for (const route of routes) this.#removed("route", this.#routes.removeRoute(route));
  }

  #removed(what: string, failure: RoutingFailure | undefined): void {
    if (failure !== undefined && !NOT_THERE.has(failure.errno))
      this.#log.write("error", `cannot remove a ${what} in place of the dead VRRP process: ${failure.message}`);
  }

  #removeLinks({ made, bases }: NonNullable<Farewell["links"]>): void {
    const present = new Map(this.#routing.links().map(({ index, name }) => [index, name]));
    for (const { index, name } of made) {
      if (present.get(index) !== name) continue; // the number belongs to another link by now
      const failure = this.#virtualLinks.remove(index);
      if (failure !== undefined && failure.errno !== ENODEV)
        this.#log.write("error", `cannot remove ${name}: ${failure.message}`);
    }
    for (const { index, before } of bases) this.#virtualLinks.setArpSettings(index, before);
    this.#virtualLinks.quieten([]);
    this.#log.write("notice", `removed in place of the dead VRRP process: ${made.map(({ name }) => name).join(", ")}`);
  }

  #sayGoodbye({ router, socket: settings, packets, renewal }: Farewell): void {
    if (settings === undefined) return;
    try {
      const socket = this.#segments.openAdverts(settings, () => {});
      const fresh = renewal === undefined ? packets : packets.map((packet) => renew(packet, renewal, this.#wallMs()));
      for (const { bytes, destination } of fresh) socket.send(bytes, destination);
      socket.close();
    } catch (error) {
      this.#log.write("error", `(${router}) cannot send 0 priority: ${(error as Error).message}`);
    }
  }
}
