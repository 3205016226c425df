/**
 * Routes and rules of a node: those of its active routers, and the static ones with the static addresses. What is set is asked for again
 * twice a second, which changes nothing unless somebody or a link that went down has taken it away; the kernel's own notifications would
 * bring a router with a full table more than it can read. keepalived's counterparts: vrrp_iproute.c, vrrp_iprule.c, vrrp_static_track.c.
 */
import type { IpRule } from "../base/ip-route.ts";
import type { Statics, VirtualAddress } from "../conf/keepalived/config.ts";
import type { ConfiguredRoute, ConfiguredRule } from "../conf/keepalived/route-types.ts";
import { EEXIST, NOT_THERE, type RouteRequest } from "../io/routes.ts";
import type { RoutingFailure } from "../io/routing.ts";
import { claimAddress, releaseAddress } from "./addresses.ts";
import { type LinkView, linkNamed } from "./links.ts";
import type { Farewell, NodePorts } from "./ports.ts";

/** How often what is set is asked for again. */
export const REPAIR_MS = 500;

interface Item {
  readonly text: string;
  readonly route?: RouteRequest;
  readonly rule?: IpRule;
}

/** What one owner, a router or the node, has set. */
interface Owned {
  readonly wanted: Items;
  readonly set: Map<string, Item>;
}

export interface Items {
  readonly routes: readonly ConfiguredRoute[];
  readonly rules: readonly ConfiguredRule[];
}

export class NodeRoutes {
  readonly #ports: Pick<NodePorts, "routes" | "routing" | "guard" | "log">;
  readonly #view: LinkView;
  readonly #owned = new Map<string, Owned>();
  readonly #refused = new Map<string, string>();
  #addresses: readonly VirtualAddress[] = [];
  #nextMs = Number.POSITIVE_INFINITY;

  constructor(ports: Pick<NodePorts, "routes" | "routing" | "guard" | "log">, view: LinkView) {
    this.#ports = ports;
    this.#view = view;
  }

  /** When `ring` has something to do. */
  get nextMs(): number {
    return this.#nextMs;
  }

  /** A router is active: its items are set, behind its addresses; those of an older configuration go. */
  claim(owner: string, wanted: Items, nowMs: number): void {
    const before = this.#owned.get(owner);
    if (before === undefined && wanted.routes.length + wanted.rules.length === 0) return;
    const set = before?.set ?? new Map<string, Item>();
    const owned = { wanted, set };
    this.#owned.set(owner, owned);
    const items = this.#items(wanted);
    for (const [key, item] of [...set].reverse()) if (!items.has(key)) this.#remove(owner, set, key, item);
    this.#guard(owner, items);
    for (const [key, item] of items) this.#add(owner, set, key, item);
    if (!this.#isIdle) this.#nextMs = Math.min(this.#nextMs, nowMs + REPAIR_MS);
  }

  /** It is active no more: its items go, in front of its addresses. */
  release(owner: string): void {
    const owned = this.#owned.get(owner);
    if (owned === undefined) return;
    this.#owned.delete(owner);
    // Rules first: without their routes they would lead nowhere.
    for (const [key, item] of [...owned.set].reverse()) this.#remove(owner, owned.set, key, item);
    this.#ports.guard(guardKey(owner), undefined);
    if (this.#isIdle) this.#nextMs = Number.POSITIVE_INFINITY;
  }

  /** Removes what a predecessor that was killed has left. */
  clean(wanted: Items): void {
    for (const item of [...this.#items(wanted).values()].reverse()) this.#removeOne(item);
  }

  /** What the node has whoever is active; again after a reload. */
  setStatics({ addresses, routes, rules }: Statics, nowMs: number): void {
    const kept = new Set(addresses.map(addressKey));
    for (const address of this.#addresses) if (!kept.has(addressKey(address))) this.#change(releaseAddress, address);
    this.#addresses = addresses;
    for (const address of addresses) this.#change(claimAddress, address);
    this.claim(STATIC, { routes, rules }, nowMs);
    if (!this.#isIdle) this.#nextMs = Math.min(this.#nextMs, nowMs + REPAIR_MS);
  }

  ring(nowMs: number): void {
    if (nowMs < this.#nextMs) return;
    this.#nextMs = this.#isIdle ? Number.POSITIVE_INFINITY : nowMs + REPAIR_MS;
    for (const address of this.#addresses) if (!this.#isPresent(address)) this.#change(claimAddress, address);
    for (const [owner, { wanted, set }] of this.#owned)
      for (const [key, item] of this.#items(wanted)) this.#add(owner, set, key, item);
  }

  /** The node leaves. */
  stop(): void {
    for (const owner of [...this.#owned.keys()]) this.release(owner);
    for (const address of this.#addresses) this.#change(releaseAddress, address);
    this.#addresses = [];
    this.#nextMs = Number.POSITIVE_INFINITY;
  }

  get #isIdle(): boolean {
    return this.#owned.size === 0 && this.#addresses.length === 0;
  }

  #isPresent({ address, interface: name }: VirtualAddress): boolean {
    const index = linkNamed(this.#view, name)?.index;
    for (const { ip, linkIndex } of this.#view.addresses)
      if (linkIndex === index && ip.join() === address.join()) return true;
    return false;
  }

  #change(change: typeof claimAddress, address: VirtualAddress): void {
    const link = linkNamed(this.#view, address.interface);
    if (link === undefined) return;
    this.#complain(STATIC, addressKey(address), change(this.#ports.routing, address, link.index));
  }

  /** Routes first, then rules, each under what makes it another one. Those whose link is missing wait for it. */
  #items({ routes, rules }: Items): Map<string, Item> {
    const items = new Map<string, Item>();
    for (const route of routes) {
      const request = this.#routeRequest(route);
      if (request !== undefined)
        items.set(JSON.stringify([route.text, request.linkIndex]), { text: route.text, route: request });
    }
    for (const rule of rules)
      items.set(JSON.stringify([rule.text, rule.priority]), { text: rule.text, rule: bare(rule) });
    return items;
  }

  #routeRequest(route: ConfiguredRoute): RouteRequest | undefined {
    const indexOf = (name: string | undefined): number | undefined => linkNamed(this.#view, name)?.index;
    const names = [route.interface, ...route.nextHops.map((hop) => hop.interface)];
    if (names.some((name) => name !== undefined && indexOf(name) === undefined)) return undefined;
    const { interface: name, nextHops, noTrack: _, trackGroup: __, text: ___, at: ____, ...rest } = route;
    return {
      ...rest,
      linkIndex: indexOf(name),
      nextHops: nextHops.map(({ interface: hopName, ...hop }) => ({ ...hop, linkIndex: indexOf(hopName) })),
    };
  }

  #add(owner: string, set: Map<string, Item>, key: string, item: Item): void {
    const { routes } = this.#ports;
    const failure = item.route === undefined ? routes.addRule(item.rule as IpRule) : routes.addRoute(item.route);
    const isThere = failure?.errno === EEXIST;
    if (failure === undefined && set.has(key)) this.#log(owner, `Restoring deleted ${kindOf(item)} ${item.text}`);
    if (failure === undefined || isThere) set.set(key, item);
    this.#complain(
      owner,
      key,
      isThere ? undefined : failure && `cannot set ${kindOf(item)} ${item.text}: ${failure.message}`,
    );
  }

  #remove(owner: string, set: Map<string, Item>, key: string, item: Item): void {
    set.delete(key);
    const failure = this.#removeOne(item);
    // A link that goes takes its routes with it.
    const isGone = failure === undefined || NOT_THERE.has(failure.errno);
    this.#complain(owner, key, isGone ? undefined : `cannot remove ${kindOf(item)} ${item.text}: ${failure.message}`);
  }

  #removeOne({ route, rule }: Item): RoutingFailure | undefined {
    const { routes } = this.#ports;
    return route === undefined ? routes.removeRule(rule as IpRule) : routes.removeRoute(route);
  }

  /** Told before anything is set. What is static stays when the process dies. */
  #guard(owner: string, items: ReadonlyMap<string, Item>): void {
    if (owner === STATIC) return;
    const all = [...items.values()];
    const routes = all.flatMap(({ route }) => route ?? []);
    const rules = all.flatMap(({ rule }) => rule ?? []);
    this.#ports.guard(guardKey(owner), farewell(owner, routes, rules));
  }

  #log(owner: string, text: string): void {
    this.#ports.log.write("notice", owner === STATIC ? text : `(${owner}) ${text}`);
  }

  #complain(owner: string, about: string, text: string | undefined): void {
    const key = `${owner} ${about}`;
    if (text === undefined) this.#refused.delete(key);
    else if (this.#refused.get(key) !== text) {
      this.#refused.set(key, text);
      this.#ports.log.write("error", owner === STATIC ? text : `(${owner}) ${text}`);
    }
  }
}

/** No instance can be called so: names are words. */
const STATIC = "static items of the node";

function bare({ noTrack: _, trackGroup: __, text: ___, at: ____, ...rule }: ConfiguredRule): IpRule {
  return rule;
}

function kindOf({ route }: Item): string {
  return route === undefined ? "rule" : "route";
}

function addressKey({ address, prefixLength, interface: name }: VirtualAddress): string {
  return `${address.join()}/${prefixLength} ${name}`;
}

function guardKey(owner: string): string {
  return `${owner} routes and rules`;
}

/** If this process dies, its parent takes them away. */
function farewell(router: string, routes: readonly RouteRequest[], rules: readonly IpRule[]): Farewell {
  const nothing = { socket: undefined, packets: [], renewal: undefined, addresses: [], hasDetours: false };
  return { ...nothing, router, items: { routes, rules } };
}
