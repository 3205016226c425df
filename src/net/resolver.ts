/**
 * Names to addresses while the program runs: several servers in turn, retries, answers kept for their TTL, one query for all
 * who wait for a name. nginx: ngx_resolver.c, with its log texts.
 *
 * | what is known of a name | someone asks                      | an answer comes                      | 5 s pass              |
 * | nothing                 | query sent, waits                 | "unexpected DNS response"            | -                     |
 * | asked                   | waits too                         | kept; all who wait are told          | next server is asked  |
 * | kept, within its TTL    | told at once, addresses rotated   | "unexpected DNS response"            | -                     |
 *
 * Unlike nginx, which waits those 5 s, it asks the next server as soon as a machine says that no server listens there.
 */
import type { Bytes } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import { type IpAddress, parseIpv4 } from "../base/ip.ts";
import type { Endpoint } from "../io/stream.ts";
import {
  A,
  AAAA,
  type DnsAnswer,
  decodeAnswer,
  encodeQuery,
  FORMAT_ERROR,
  NAME_ERROR,
  PTR,
  SERVER_FAILURE,
  SRV,
} from "../wire/dns/message.ts";
import { reverseName } from "../wire/dns/name.ts";
import { NameServer, type NameServerPorts } from "./name-server.ts";
import { addressesOf, type Family, KnownName, Waiter } from "./resolver-names.ts";
import { type FailedTarget, type ResolvedAddress, ServiceLookup } from "./resolver-services.ts";

/** Codes of failed lookups besides those of DNS: nobody answered in time (errno ETIMEDOUT, which is what nginx prints). */
export const TIMED_OUT = 110;

const CODE_TEXTS = ["", "Format error", "Server failure", "Host not found", "Unimplemented", "Operation refused"];

/** nginx's words for a code, for `NAME could not be resolved (3: Host not found)`. */
export function resolverCodeText(code: number): string {
  return code === TIMED_OUT
    ? "Operation timed out"
    : code === 0
      ? "Unknown error"
      : (CODE_TEXTS[code] ?? "Unknown error");
}

/** `resolver ADDRESS… [valid=] [ipv4=] [ipv6=]`. */
export interface ResolverSettings {
  /** With the text that the log shows, `192.0.2.53:53`. */
  readonly servers: readonly { readonly endpoint: Endpoint; readonly label: string }[];
  /** Seconds that answers are kept, instead of their TTL; 0: their TTL. */
  readonly validS: number;
  readonly ipv4: boolean;
  readonly ipv6: boolean;
}

export interface ResolverPorts extends NameServerPorts {
  readonly clock: Clock;
  /** 0 ≤ random < 1, and not to be guessed: query ids come from it. */
  readonly random: () => number;
}

/** `validUntilMs`: monotonic ms after which to ask again. */
export type Resolution<T> =
  | { readonly ok: true; readonly value: T; readonly validUntilMs: number }
  | { readonly ok: false; readonly code: number; readonly validUntilMs: number };

export interface Lookup {
  /** The result is no longer wanted. */
  cancel(): void;
}

/** After this time without an answer the next server is asked. */
const RESEND_MS = 5000;
/** Seconds after its last use that a name is forgotten. */
const FORGET_S = 30;
/** Seconds that whoever polls should wait after a failure. */
const FAILED_S = 10;
/** Aliases that are followed from one name. */
const MAX_ALIASES = 50;
/** Names that are known or asked for at one time. */
const MAX_NAMES = 10_000;

const NOTHING: Lookup = { cancel: () => {} };

export class Resolver {
  private readonly settings: ResolverSettings;
  private readonly ports: ResolverPorts;
  private readonly servers: NameServer[];
  /** In the order of last use; keyed by record family and name. */
  private readonly names = new Map<string, KnownName>();
  private nextServer = 0;

  constructor(settings: ResolverSettings, ports: ResolverPorts) {
    this.settings = settings;
    this.ports = ports;
    this.servers = settings.servers.map(
      ({ endpoint, label }, index) =>
        new NameServer(
          endpoint,
          label,
          ports,
          (message, tcp) => this.onMessage(message, tcp),
          () => this.onRefused(index),
        ),
    );
  }

  /** Names that are known or asked for. */
  get size(): number {
    return this.names.size;
  }

  /**
   * Finds the addresses of a name. `done` is called once, unless cancelled; at once, before this returns, when the answer is
   * known. `timeoutMs` 0: waits as long as it takes.
   */
  resolveName(name: string, timeoutMs: number, done: (result: Resolution<readonly IpAddress[]>) => void): Lookup {
    const literal = parseIpv4(name);
    if (literal !== undefined) {
      done({ ok: true, value: [literal], validUntilMs: Number.POSITIVE_INFINITY });
      return NOTHING;
    }
    return this.wait("name", tidy(name), timeoutMs, (known, code, cached) => {
      if (known === undefined) done(this.failure(code));
      else
        done({
          ok: true,
          value: addressesOf(known, cached ? this.ports.random : undefined),
          validUntilMs: known.validUntilMs,
        });
    });
  }

  /**
   * Finds the servers of a service by SRV records and then their addresses, in the order of priority. `service` with a dot is
   * the whole prefix (`_http._tcp`), without one it is `_SERVICE._tcp`. `failed`: targets of it that were not found.
   */
  resolveService(
    service: string,
    name: string,
    timeoutMs: number,
    done: (result: Resolution<readonly ResolvedAddress[]>, failed: readonly FailedTarget[]) => void,
  ): Lookup {
    const prefix = service.includes(".") ? service : `_${service}._tcp`;
    let current: Lookup = NOTHING;
    const waiting = this.wait("service", tidy(`${prefix}.${name}`), timeoutMs, (known, code) => {
      if (known === undefined) {
        done(this.failure(code), []);
        return;
      }
      const lookup = new ServiceLookup(known.services, known.validUntilMs, this.ports.random, (result) => {
        const { addresses, code: reason, validUntilMs, failed } = result;
        done(addresses === undefined ? this.failure(reason) : { ok: true, value: addresses, validUntilMs }, failed);
      });
      current = lookup;
      lookup.start((target, found) => this.resolveName(target, timeoutMs, found));
    });
    return {
      cancel: () => {
        waiting.cancel();
        current.cancel();
      },
    };
  }

  /** Finds the name of an address. */
  resolveAddress(address: IpAddress, timeoutMs: number, done: (result: Resolution<string>) => void): Lookup {
    return this.wait("address", reverseName(address), timeoutMs, (known, code) => {
      if (known === undefined) done(this.failure(code));
      else done({ ok: true, value: known.pointer as string, validUntilMs: known.validUntilMs });
    });
  }

  /** Closes its sockets and forgets everything; whoever waits is not told. */
  close(): void {
    for (const known of this.names.values()) this.ports.timers.discard(known);
    for (const known of this.names.values()) for (const waiter of known.waiters) this.ports.timers.discard(waiter);
    this.names.clear();
    for (const server of this.servers) server.close();
  }

  private failure(code: number): { readonly ok: false; readonly code: number; readonly validUntilMs: number } {
    return { ok: false, code, validUntilMs: this.ports.clock.now() + (this.settings.validS || FAILED_S) * 1000 };
  }

  private wait(family: Family, name: string, timeoutMs: number, deliver: Waiter["deliver"]): Lookup {
    const waiter = new Waiter(deliver, () => waiter.leave(undefined, TIMED_OUT));
    this.join(family, name, waiter);
    if (waiter.known !== undefined && timeoutMs > 0) this.ports.timers.arm(waiter, timeoutMs);
    return {
      cancel: () => {
        waiter.known?.waiters.delete(waiter);
        waiter.known = undefined;
        this.ports.timers.discard(waiter);
      },
    };
  }

  /** Tells the waiter what is known of the name, or lets it wait for that. */
  private join(family: Family, name: string, waiter: Waiter): void {
    for (;;) {
      const key = `${family} ${name}`;
      const known = this.names.get(key);
      const nowMs = this.ports.clock.now();
      if (known === undefined || (!known.pending && known.validUntilMs < nowMs)) {
        if (known !== undefined) this.names.delete(key);
        this.ask(family, key, name, waiter);
        return;
      }
      if (known.pending) {
        known.add(waiter);
        return;
      }
      this.names.delete(key);
      this.names.set(key, known);
      known.usedMs = nowMs;
      if (known.alias === undefined) {
        this.settle(waiter, known, 0, true);
        return;
      }
      if (++waiter.aliases > MAX_ALIASES) {
        this.settle(waiter, undefined, NAME_ERROR, true);
        return;
      }
      name = known.alias;
    }
  }

  private settle(waiter: Waiter, known: KnownName | undefined, code: number, cached: boolean): void {
    this.ports.timers.discard(waiter);
    this.forget();
    waiter.leave(known, code, cached);
  }

  /** Sends the queries for a name that nothing is known of. */
  private ask(family: Family, key: string, name: string, waiter: Waiter): void {
    const queries = TYPES[family](this.settings).map((type) => {
      const id = Math.floor(this.ports.random() * 0x10000);
      return { type, id, bytes: encodeQuery(id, name, type), tcp: false, pending: true };
    });
    const valid = queries.every((query) => query.bytes !== undefined);
    if (!valid || this.servers.length === 0 || !this.makeRoom()) {
      this.settle(waiter, undefined, valid ? SERVER_FAILURE : NAME_ERROR, false);
      return;
    }
    const known = new KnownName(family, key, name, queries, this.nextServer, () => this.askAgain(known));
    this.nextServer = (this.nextServer + 1) % this.servers.length;
    this.names.set(key, known);
    known.add(waiter);
    // One more try at once: a server whose socket fails says nothing about the next one.
    if (!this.send(known)) {
      known.server = (known.server + 1) % this.servers.length;
      this.send(known);
    }
    this.ports.timers.arm(known, RESEND_MS);
  }

  private send(known: KnownName): boolean {
    const server = this.servers[known.server] as NameServer;
    return known.queries.every((query) => !query.pending || server.send(query.bytes as Bytes, query.tcp));
  }

  /** A server is down: its questions go to the next one at once. When all are down, they wait for the next try. */
  private onRefused(server: number): void {
    for (const known of [...this.names.values()]) {
      if (!known.pending || known.server !== server || ++known.refusals >= this.servers.length) continue;
      this.askNext(known);
    }
  }

  /** Nobody has answered: the next server, if anybody still waits. */
  private askAgain(known: KnownName): void {
    known.refusals = 0;
    this.askNext(known);
  }

  private askNext(known: KnownName): void {
    if (known.waiters.size === 0) {
      this.names.delete(known.key);
      return;
    }
    known.server = (known.server + 1) % this.servers.length;
    this.send(known);
    this.ports.timers.arm(known, RESEND_MS);
  }

  /** Drops names that nobody has asked for lately, a few at a time (nginx: ngx_resolver_expire). */
  private forget(): void {
    const before = this.ports.clock.now() - FORGET_S * 1000;
    let looks = 4;
    for (const [key, known] of this.names) {
      if (--looks < 0) return;
      if (known.pending) continue;
      if (known.usedMs > before) return;
      this.names.delete(key);
    }
  }

  /** Room for one more name: the one that was used longest ago has to go. False when all are being asked for. */
  private makeRoom(): boolean {
    if (this.names.size < MAX_NAMES) return true;
    for (const [key, known] of this.names) {
      if (known.pending) continue;
      this.names.delete(key);
      return true;
    }
    return false;
  }

  private complain(message: string): void {
    this.ports.log.write("error", message);
  }

  /** The server says that it did not understand, or something that isn't known: who asked keeps waiting for another one. */
  private complainOfCode({ code, id }: DnsAnswer): void {
    let name = "";
    if (code === FORMAT_ERROR) {
      for (const known of this.names.values()) {
        if (known.pending && known.queries.some((query) => query.id === id)) name = `, name:"${known.name}"`;
      }
    }
    this.complain(`DNS error (${code}: ${resolverCodeText(code)}), query id:${id}${name}`);
  }

  private onMessage(message: Bytes, tcp: boolean): void {
    const result = decodeAnswer(message, tcp);
    if (!result.ok) {
      this.complain(result.reason);
      return;
    }
    const answer = result.value;
    if (answer.question === undefined) {
      this.complainOfCode(answer);
      return;
    }
    const { name, type } = answer.question;
    const known = this.names.get(`${FAMILIES[type] as Family} ${name}`);
    const query = known?.queries.find((one) => one.type === type);
    if (known === undefined || query === undefined || !query.pending) {
      this.complain(`unexpected DNS response for ${name}`);
      return;
    }
    if (query.id !== answer.id) {
      this.complain(`wrong ident ${answer.id} in DNS response for ${name}, expect ${query.id}`);
      return;
    }
    for (const unexpected of answer.unexpectedTypes) this.complain(`unexpected RR type ${unexpected} in DNS response`);
    if (!answer.truncated) {
      query.pending = false;
      this.accept(known, answer);
    } else if (!query.tcp) this.askByTcp(known, query);
  }

  /** The answer did not fit into a datagram. */
  private askByTcp(known: KnownName, query: { bytes: Bytes | undefined; tcp: boolean }): void {
    if (known.waiters.size === 0) {
      this.ports.timers.discard(known);
      this.names.delete(known.key);
      return;
    }
    query.tcp = true;
    (this.servers[known.server] as NameServer).send(query.bytes as Bytes, true);
    this.ports.timers.arm(known, RESEND_MS);
  }

  /** Adds an answer to what is known; with the last one, tells everybody. */
  private accept(known: KnownName, answer: DnsAnswer): void {
    known.take(answer);
    if (known.queries.some((query) => query.pending)) return;
    this.ports.timers.discard(known);
    const waiters = [...known.waiters];
    known.waiters.clear();
    if (known.code !== 0 || known.empty) {
      if (known.code === 0 && (answer.records.length > 0 || answer.unexpectedTypes.length > 0)) {
        this.complain(NO_TYPES[known.family]);
      }
      this.names.delete(known.key);
      for (const waiter of waiters) this.settle(waiter, undefined, known.code === 0 ? NAME_ERROR : known.code, false);
      return;
    }
    const nowMs = this.ports.clock.now();
    known.pending = false;
    known.usedMs = nowMs;
    known.validUntilMs = nowMs + (this.settings.validS || known.ttlS) * 1000;
    this.names.delete(known.key);
    this.names.set(known.key, known);
    for (const waiter of waiters) {
      if (known.alias === undefined) this.settle(waiter, known, 0, false);
      else if (++waiter.aliases > MAX_ALIASES) this.settle(waiter, undefined, NAME_ERROR, false);
      else this.join(known.family, known.alias, waiter);
    }
  }
}

const FAMILIES: Readonly<Record<number, Family>> = { [A]: "name", [AAAA]: "name", [SRV]: "service", [PTR]: "address" };

const TYPES: Readonly<Record<Family, (settings: ResolverSettings) => readonly number[]>> = {
  name: ({ ipv4, ipv6 }) => [...(ipv4 ? [A] : []), ...(ipv6 ? [AAAA] : [])],
  service: () => [SRV],
  address: () => [PTR],
};

const NO_TYPES: Readonly<Record<Family, string>> = {
  name: "no A or CNAME types in DNS response",
  service: "no SRV type in DNS response",
  address: "no PTR type in DNS response",
};

/** Lower case, without the dot that ends an absolute name. */
function tidy(name: string): string {
  return (name.endsWith(".") ? name.slice(0, -1) : name).toLowerCase();
}
