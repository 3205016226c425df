/**
 * One virtual server with its real servers: who is alive, whether there is a quorum, who is in the pool. It knows no clock, no
 * socket and no kernel: it is told what checkers have found, says what it does through its hooks, and `destinations` is what
 * the kernel should have. keepalived's counterpart: ipwrapper.c.
 *
 * | quorum | sorry server | the pool is                                                          |
 * |--------|--------------|----------------------------------------------------------------------|
 * | up     | –            | real servers that are alive                                          |
 * | down   | none         | real servers that are alive                                          |
 * | down   | there        | the sorry server; real servers that are alive wait                   |
 *
 * A server with inhibit_on_failure is always in the pool, with weight 0 when it would not be otherwise.
 */
import { equalBytes } from "../base/bytes.ts";
import type { Command } from "../conf/keepalived/config.ts";
import type { RealServer, SorryServer, VirtualServer } from "../conf/keepalived/lvs/config.ts";
import type { MailText } from "../io/mail.ts";
import type { ServiceDestination, ServiceSettings } from "../io/virtual-services.ts";
import { leavingText, type QuorumNews, quorumMail, serverMail, stoppingMail } from "./mail-text.ts";
import type { LvsEvent } from "./ports.ts";

/** The greatest weight that IPVS knows. */
const MAX_WEIGHT = 0x7fff_ffff;

/** A real server at work. */
export interface RealServerState {
  readonly settings: RealServer;
  isAlive: boolean;
  /** Checkers that have failed. */
  failed: number;
  /** Its own weight and what checkers add to it; may leave the bounds of a weight meanwhile. */
  weight: number;
}

export interface PoolHooks {
  /** `no_checker_emails`. */
  readonly isWithoutCheckerMail: boolean;
  log(message: string): void;
  notify(event: LvsEvent): void;
  mail(text: MailText): void;
  /** `destinations` have changed. */
  changed(): void;
}

/** A weight inside its bounds. keepalived: real_weight. */
export function realWeight(weight: number): number {
  return Math.min(Math.max(weight, 0), MAX_WEIGHT);
}

/** How a checker was when it came to a verdict. */
export interface Before {
  readonly wasUp: boolean;
  readonly hadRun: boolean;
  readonly alpha: boolean;
}

/** What a checker writes when it has come to a verdict. */
export interface CheckNews {
  readonly body: string;
  /** Its first verdict is written about even when it is what was thought before. */
  readonly tellsFirst: boolean;
}

export class Pool {
  readonly settings: VirtualServer;
  readonly servers: readonly RealServerState[];
  readonly #hooks: PoolHooks;
  #hasQuorum = false;
  #isSorry = false;

  constructor(settings: VirtualServer, hooks: PoolHooks) {
    this.settings = settings;
    this.#hooks = hooks;
    this.servers = settings.realServers.map((server) => ({
      settings: server,
      isAlive: false,
      failed: 0,
      weight: server.weight,
    }));
  }

  get hasQuorum(): boolean {
    return this.#hasQuorum;
  }

  /** The sorry server serves. */
  get isSorry(): boolean {
    return this.#isSorry;
  }

  /** Weight of all that are alive. */
  get liveWeight(): number {
    return this.servers.reduce((sum, { isAlive, weight }) => sum + (isAlive ? realWeight(weight) : 0), 0);
  }

  /** What is known of the pool before, at a reload. To be called before `start`. */
  inherit(before: Pool): void {
    this.#hasQuorum = before.#hasQuorum;
    const sorry = this.settings.sorryServer;
    const old = before.settings.sorryServer;
    this.#isSorry = before.#isSorry && sorry !== undefined;
    if (before.#isSorry && old !== undefined && (sorry === undefined || sorry.name !== old.name)) {
      this.#hooks.log(`Removing sorry server ${old.name} from VS ${before.settings.name}`);
      this.#isSorry = false;
    }
  }

  /** Puts the servers that no checker is against into the pool. `initialNotifies`: they are told about. */
  start(initialNotifies: boolean): void {
    for (const server of this.servers) {
      if (server.failed > 0 || server.isAlive) continue;
      server.isAlive = true;
      if (initialNotifies) this.#notifyServer(server);
    }
    this.#updateQuorum(true);
    this.#hooks.changed();
  }

  /** A checker has changed its mind about a server: `isUp` is what it says now. */
  checked(server: RealServerState, isUp: boolean): void {
    if (isUp) {
      if (server.failed <= 1) this.#bring(server, true);
      server.failed = Math.max(0, server.failed - 1);
    } else {
      if (server.failed === 0) this.#bring(server, false);
      server.failed++;
    }
    this.#hooks.changed();
  }

  /** What a checker says of a server. A first result that changes nothing is told when it is bad, or was awaited. */
  judge(server: RealServerState, verdict: boolean, before: Before, news: CheckNews): void {
    const wasAlive = server.isAlive;
    if (verdict !== before.wasUp) this.checked(server, verdict);
    else if (!before.hadRun && (before.alpha || !verdict)) this.#notifyServer(server);
    const isChange = server.isAlive !== wasAlive || !this.#hooks.isWithoutCheckerMail;
    if (isChange && (verdict !== before.wasUp || news.tellsFirst)) this.#mailServer(server, news.body);
  }

  #mailServer({ settings, isAlive }: RealServerState, body: string): void {
    if (settings.smtpAlert) this.#hooks.mail(serverMail(this.settings.name, settings.name, isAlive, body));
  }

  /** A server's weight is another one. */
  reweigh(server: RealServerState, weight: number, updateQuorum = true): void {
    const before = realWeight(server.weight);
    const after = realWeight(weight);
    server.weight = weight;
    if (before === after) return;
    const state = server.isAlive ? "" : "in";
    const subject = `${state}active service ${server.settings.name} of VS ${this.settings.name}`;
    this.#hooks.log(`Changing weight from ${before} to ${after} for ${subject}`);
    if (updateQuorum) this.#updateQuorum(false);
    this.#hooks.changed();
  }

  /** The real servers go, in words and notifies: this virtual server is removed, or the program stops. */
  end(isStopping: boolean): void {
    for (const server of this.servers) this.drop(server, isStopping);
    if (isStopping || (this.#hasQuorum && this.liveWeight < this.#lost)) this.#loseForGood(isStopping);
  }

  /** A real server leaves the pool for good. */
  drop(server: RealServerState, isStopping: boolean): void {
    const { name, inhibitOnFailure } = server.settings;
    const isSet = server.isAlive || inhibitOnFailure;
    const inhibited = inhibitOnFailure && !server.isAlive ? "(inhibited) " : "";
    const verb = isStopping ? "Shutting down" : "Removing";
    if (isSet || isStopping) this.#hooks.log(`${verb} ${inhibited}service ${name} from VS ${this.settings.name}`);
    if (!server.isAlive) return;
    server.isAlive = false;
    if (!this.settings.omega && isStopping) return;
    this.#notifyServer(server);
    this.#mailServer(server, leavingText(isStopping));
  }

  /** Quorum counted again after servers were dropped: it may be gone, but nobody is sorry any more. */
  recount(): void {
    if (this.#hasQuorum && this.liveWeight < this.#lost) this.#loseForGood(false);
  }

  #loseForGood(isStopping: boolean): void {
    const { name, quorum, hysteresis, omega, smtpAlert } = this.settings;
    const news = { quorum, hysteresis, threshold: quorum - hysteresis, weight: this.liveWeight, isFirst: false };
    this.#hasQuorum = false;
    if (isStopping && !omega) return;
    this.#notifyService();
    if (smtpAlert) this.#hooks.mail(isStopping ? stoppingMail(name) : quorumMail(name, false, news));
  }

  /** Weight below which quorum is lost; never at all without any. */
  get #lost(): number {
    return Math.max(1, this.settings.quorum - this.settings.hysteresis);
  }

  #bring(server: RealServerState, isUp: boolean): void {
    if (server.isAlive === isUp) return;
    const { name, inhibitOnFailure } = server.settings;
    const verb = isUp ? (inhibitOnFailure ? "Enabl" : "Add") : inhibitOnFailure ? "Disabl" : "Remov";
    const where = inhibitOnFailure ? "of" : isUp ? "to" : "from";
    this.#hooks.log(`${verb}ing service ${name} ${where} VS ${this.settings.name}`);
    server.isAlive = isUp;
    this.#notifyServer(server);
    this.#updateQuorum(false);
  }

  #updateQuorum(isFirst: boolean): void {
    const { quorum, hysteresis, name, sorryServer } = this.settings;
    const weight = this.liveWeight;
    const threshold = quorum + (this.#hasQuorum ? -hysteresis : hysteresis);
    if (!this.#hasQuorum && weight >= threshold) {
      this.#hasQuorum = true;
      this.#hooks.log(`Gained quorum ${quorum}+${hysteresis}=${threshold} <= ${weight} for VS ${name}`);
      if (sorryServer !== undefined && this.#isSorry) {
        const verb = sorryServer.inhibit ? "Disabling" : "Removing";
        this.#hooks.log(`${verb} sorry server ${sorryServer.name} from VS ${name}`);
        this.#isSorry = false;
        this.#hooks.log(`Adding alive servers to the pool for VS ${name}`);
      }
      this.#tellQuorum({ quorum, hysteresis, threshold, weight, isFirst });
      return;
    }
    const isLost = this.#hasQuorum && (weight === 0 || weight < threshold);
    const isDownFirst = isFirst && !this.#hasQuorum && sorryServer !== undefined && !this.#isSorry;
    if (!isLost && !isDownFirst) return;
    this.#hasQuorum = false;
    const what = isFirst ? "Starting with quorum down" : "Lost quorum";
    this.#hooks.log(`${what} ${quorum}-${hysteresis}=${threshold} > ${weight} for VS ${name}`);
    if (sorryServer !== undefined && !this.#isSorry) {
      const verb = sorryServer.inhibit ? "Enabling" : "Adding";
      this.#hooks.log(`${verb} sorry server ${sorryServer.name} to VS ${name}`);
      this.#hooks.log(`Removing alive servers from the pool for VS ${name}`);
      this.#isSorry = true;
    }
    this.#tellQuorum({ quorum, hysteresis, threshold, weight, isFirst });
  }

  #tellQuorum(news: QuorumNews): void {
    this.#notifyService();
    if (this.settings.smtpAlert) this.#hooks.mail(quorumMail(this.settings.name, this.#hasQuorum, news));
  }

  #notifyServer({ settings, isAlive }: RealServerState): void {
    const command = isAlive ? settings.notifyUp : settings.notifyDown;
    this.#notify(`RS ${settings.name} ${this.settings.name} ${isAlive ? "UP" : "DOWN"}`, command);
  }

  #notifyService(): void {
    const command = this.#hasQuorum ? this.settings.quorumUp : this.settings.quorumDown;
    this.#notify(`VS ${this.settings.name} ${this.#hasQuorum ? "UP" : "DOWN"}`, command);
  }

  #notify(line: string, command: Command | undefined): void {
    this.#hooks.notify({ line, command });
  }

  /** What the kernel should have now, in the order of the file. */
  destinations(): readonly ServiceDestination[] {
    const { sorryServer } = this.settings;
    const found = this.servers.flatMap(({ settings, isAlive, weight }) => {
      const serves = isAlive && !this.#isSorry;
      if (!serves && !settings.inhibitOnFailure) return [];
      return [destination(settings, serves ? realWeight(weight) : 0, settings)];
    });
    if (sorryServer === undefined || !(this.#isSorry || sorryServer.inhibit)) return found;
    // The sorry server may be one of the others: it is there once.
    const others = found.filter(({ ip, port }) => {
      const { address } = sorryServer;
      return address.port !== port || !equalBytes(address.ip, ip);
    });
    if (others.length < found.length && !this.#isSorry) return found;
    return [...others, destination(sorryServer, this.#isSorry ? 1 : 0, undefined)];
  }
}

/** A virtual server as the kernel is told of it. */
export function serviceOf({
  name,
  match,
  family,
  protocol,
  scheduler,
  flags,
  persistence,
}: VirtualServer): ServiceSettings {
  return {
    name,
    ranges: match.ranges,
    marks: match.marks.map(({ mark, family: own }) => ({ mark, family: own ?? family ?? 4 })),
    protocol,
    scheduler,
    flags,
    persistence,
  };
}

/** Everybody who may ever serve: what the kernel must be able to do. */
export function everyDestination({ realServers, sorryServer }: VirtualServer): readonly ServiceDestination[] {
  const all = realServers.map((server) => destination(server, server.weight, server));
  return sorryServer === undefined ? all : [...all, destination(sorryServer, 1, undefined)];
}

function destination(
  { address, forwarding }: RealServer | SorryServer,
  weight: number,
  thresholds: Pick<RealServer, "upperThreshold" | "lowerThreshold"> | undefined,
): ServiceDestination {
  return {
    ip: address.ip,
    port: address.port,
    method: forwarding.method,
    tunnel: forwarding.tunnel,
    weight,
    upperThreshold: thresholds?.upperThreshold ?? 0,
    lowerThreshold: thresholds?.lowerThreshold ?? 0,
  };
}
