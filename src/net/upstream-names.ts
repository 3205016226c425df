/**
 * The names of an upstream's servers, resolved again and again while one worker runs; what is found goes to the members that all
 * workers share. nginx: ngx_http_upstream_zone_resolve_timer and its handler.
 */
import type { FoundPeer, NamedMembers } from "../balance/membership.ts";
import type { IpAddress } from "../base/ip.ts";
import type { Log } from "../base/log.ts";
import { printEndpoint } from "../io/listen.ts";
import { NAME_ERROR } from "../wire/dns/message.ts";
import { type Lookup, type Resolution, type Resolver, resolverCodeText } from "./resolver.ts";
import type { FailedTarget, ResolvedAddress } from "./resolver-services.ts";
import { Timed, type Timers } from "./timers.ts";
import { parseLocalAddress } from "./upstream-address.ts";
import type { NamedHost, UpstreamServer } from "./upstream-servers.ts";

/** A name is asked for so often at most. */
const MIN_INTERVAL_MS = 1000;

export interface UpstreamNamesOptions {
  readonly upstream: string;
  readonly members: NamedMembers;
  /** Those with `resolve`, in the order in which the members know them. */
  readonly servers: readonly UpstreamServer[];
  readonly resolver: Resolver;
  readonly timeoutMs: number;
  /** The balancing method has backup peers: services may put hosts there. */
  readonly hasBackup: boolean;
  readonly timers: Timers;
  /** Monotonic ms of the clock that all workers share. */
  readonly now: () => number;
  readonly log: Log;
}

/** The names of one upstream. */
export class UpstreamNames {
  private readonly watches: readonly NameWatch[];

  constructor(options: UpstreamNamesOptions) {
    this.watches = options.servers.map((server, index) => new NameWatch(options, server, index));
  }

  /** Begins to resolve them. */
  start(): void {
    for (const watch of this.watches) watch.start();
  }

  stop(): void {
    for (const watch of this.watches) watch.stop();
  }
}

/** A peer that a name had before a reload, with the port and the weight that its server has now. */
export function renewed({ settings, resolve }: UpstreamServer, former: FoundPeer): FoundPeer {
  const host = resolve as NamedHost;
  if (host.service !== "") return { ...former, weight: weightOf(settings, former.weight) };
  const endpoint = parseLocalAddress(former.name) as { readonly ip: IpAddress };
  return { ...former, name: printEndpoint({ ip: endpoint.ip, port: host.port }), weight: settings.weight };
}

/** A service's own weights count where the server has none. */
function weightOf({ weight }: UpstreamServer["settings"], own: number): number {
  return weight === 1 ? own : weight;
}

/** One name; its timer is the next question. */
class NameWatch extends Timed {
  private readonly options: UpstreamNamesOptions;
  private readonly server: UpstreamServer;
  private readonly index: number;
  private lookup: Lookup | undefined = undefined;

  constructor(options: UpstreamNamesOptions, server: UpstreamServer, index: number) {
    super();
    this.options = options;
    this.server = server;
    this.index = index;
  }

  /** After a reload what was known before may hold for some time yet. */
  start(): void {
    const { members, timers, now } = this.options;
    timers.arm(this, Math.max(0, members.validUntilMs(this.index) - now()));
  }

  stop(): void {
    this.options.timers.discard(this);
    this.lookup?.cancel();
  }

  onTimer(): void {
    const { resolver, timeoutMs } = this.options;
    const { host, service } = this.host;
    this.lookup =
      service === ""
        ? resolver.resolveName(host, timeoutMs, (result) => this.onAddresses(result))
        : resolver.resolveService(service, host, timeoutMs, (result, failed) => this.onService(result, failed));
  }

  private get host(): NamedHost {
    return this.server.resolve as NamedHost;
  }

  private onAddresses(result: Resolution<readonly IpAddress[]>): void {
    const { host, port } = this.host;
    if (!result.ok) {
      this.failed(`${host} could not be resolved`, result);
      return;
    }
    const { weight } = this.server.settings;
    const found = result.value.map(
      (ip): FoundPeer => ({ name: printEndpoint({ ip, port }), server: "", weight, backup: this.server.backup }),
    );
    this.update(found, result.validUntilMs);
  }

  private onService(result: Resolution<readonly ResolvedAddress[]>, failed: readonly FailedTarget[]): void {
    const { host, service } = this.host;
    for (const { name, code } of failed) {
      this.complain(
        `${name} could not be resolved (${code}: ${resolverCodeText(code)}) while resolving service ${service} of ${host}`,
      );
    }
    if (!result.ok) {
      this.failed(`service ${service} of ${host} could not be resolved`, result);
      return;
    }
    this.update(this.peersOf(result.value), result.validUntilMs);
  }

  /** Hosts of the first priority are primary peers, all others backup; a server that is `backup` itself has the first only. */
  private peersOf(addresses: readonly ResolvedAddress[]): readonly FoundPeer[] {
    const { settings, backup } = this.server;
    const first = Math.min(...addresses.map(({ priority }) => priority));
    const mayBackUp = this.options.hasBackup && !backup;
    return addresses
      .filter(({ priority }) => priority === first || mayBackUp)
      .map(({ address, port, priority, weight, name }) => ({
        name: printEndpoint({ ip: address, port }),
        server: name,
        weight: weightOf(settings, weight),
        backup: backup || priority !== first,
      }));
  }

  /** A name that is no longer there has no peers; whatever else went wrong, those that are known stay. */
  private failed(what: string, { code, validUntilMs }: { readonly code: number; readonly validUntilMs: number }): void {
    this.complain(`${what} (${code}: ${resolverCodeText(code)})`);
    const { timers, timeoutMs } = this.options;
    if (code === NAME_ERROR) this.update([], validUntilMs);
    else timers.arm(this, Math.max(timeoutMs, MIN_INTERVAL_MS));
  }

  private update(found: readonly FoundPeer[], validUntilMs: number): void {
    const { members, upstream, timers, now } = this.options;
    const unplaced = members.update(this.index, found, validUntilMs);
    if (unplaced > 0) this.complain(`cannot add new server to upstream "${upstream}", memory exhausted`);
    timers.arm(this, Math.max(validUntilMs - now(), MIN_INTERVAL_MS));
  }

  private complain(message: string): void {
    this.options.log.write("error", message);
  }
}
