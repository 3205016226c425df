/**
 * Looks for two owners behind every advert of a rival: when the partner's flight record says that it was active too, for longer than a
 * hand-over takes, a report is written and logged. It needs the peer channel.
 */
import { findIncident, type Incident, printIncident } from "../admin/incident.ts";
import { printIp } from "../base/ip.ts";
import type { Log } from "../base/log.ts";
import type { KeepalivedConfig } from "../conf/keepalived/config.ts";
import type { NotifyEvent } from "../vrrp/ports.ts";
import type { FlightAnswer } from "./flight-desk.ts";
import { openConnections } from "./open-connections.ts";

/** Until it is known whether connections go on in a hand-over. */
const KEPT_MS = 500;
/** Until both have settled. */
const SETTLE_MS = 2000;
/** Clients that a report names. */
const MAX_CLIENTS = 50;

export interface IncidentHooks {
  readonly config: KeepalivedConfig;
  /** Addresses whose connections go on here although another node has them. */
  readonly kept: readonly string[];
  why(): Promise<FlightAnswer>;
  /** Beside the flight records. */
  save(name: string, report: object): void;
  /** Into this node's own flight record. */
  note(text: string): void;
}

export class Incidents {
  readonly #log: Log;
  readonly #hooks: IncidentHooks;
  readonly #pending = new Map<string, NodeJS.Timeout>();
  /** The end of the last one of each instance that was reported. */
  readonly #reported = new Map<string, number>();

  constructor(log: Log, hooks: IncidentHooks) {
    this.#log = log;
    this.#hooks = hooks;
  }

  told({ name, state, type }: NotifyEvent): void {
    if (type !== "INSTANCE") return;
    if (state === "BACKUP") setTimeout(() => this.#noteClients(name), KEPT_MS).unref();
    if (state !== "MASTER_RX_LOWER_PRI" || this.#hooks.config.globals.peer.key === undefined) return;
    if (this.#pending.has(name)) return;
    const timer = setTimeout(() => void this.#look(name), SETTLE_MS);
    timer.unref();
    this.#pending.set(name, timer);
  }

  close(): void {
    for (const timer of this.#pending.values()) clearTimeout(timer);
    this.#pending.clear();
  }

  /** Whoever has lost the addresses cuts these off, unless it keeps them for a hand-over. */
  #noteClients(name: string): void {
    const instance = this.#hooks.config.instances.find((candidate) => candidate.name === name);
    const { kept } = this.#hooks;
    const addresses = (instance?.addresses ?? [])
      .map(({ address }) => address)
      .filter((address) => !kept.includes(printIp(address)));
    const clients = openConnections(addresses);
    if (clients.size === 0) return;
    let count = 0;
    for (const connections of clients.values()) count += connections;
    const names = [...clients.keys()];
    const listed = names.slice(0, MAX_CLIENTS).join(", ");
    const more = names.length > MAX_CLIENTS ? ` and ${names.length - MAX_CLIENTS} more` : "";
    this.#hooks.note(
      `${count} ${count === 1 ? "connection" : "connections"} to the addresses of ${name} ${count === 1 ? "is" : "are"} cut off, of ${listed}${more}`,
    );
  }

  async #look(name: string): Promise<void> {
    this.#pending.delete(name);
    const { records } = await this.#hooks.why();
    const incident = findIncident(records, name);
    if (incident === undefined || this.#isOld(incident)) return;
    this.#reported.set(name, incident.untilMs);
    this.#log.write("alert", printIncident(incident));
    const { fromMs, untilMs, ...rest } = incident;
    this.#hooks.save(`incident-${name}`, {
      ...rest,
      from: new Date(fromMs).toISOString(),
      until: new Date(untilMs).toISOString(),
      lastedMs: Math.round(untilMs - fromMs),
      records,
    });
  }

  #isOld({ instance, untilMs }: Incident): boolean {
    return untilMs <= (this.#reported.get(instance) ?? Number.NEGATIVE_INFINITY) + SETTLE_MS;
  }
}
