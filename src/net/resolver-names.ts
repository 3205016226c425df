/** What a resolver knows of one name, and who waits to learn it. nginx: ngx_resolver_node_t, ngx_resolver_ctx_t. */
import type { Bytes } from "../base/bytes.ts";
import type { IpAddress } from "../base/ip.ts";
import { A, AAAA, CNAME, type DnsAnswer, PTR, SRV } from "../wire/dns/message.ts";
import type { ResolvedService } from "./resolver-services.ts";
import { Timed } from "./timers.ts";

/** What is asked for: the addresses of a name, the servers of a service, the name of an address. */
export type Family = "name" | "service" | "address";

export interface Query {
  readonly type: number;
  readonly id: number;
  readonly bytes: Bytes | undefined;
  /** It is asked over TCP. */
  tcp: boolean;
  /** There is no answer yet. */
  pending: boolean;
}

/** Someone who waits; its own deadline is its timer. */
export class Waiter extends Timed {
  /** `known` or, when there is nothing to know, `code`. */
  readonly deliver: (known: KnownName | undefined, code: number, cached: boolean) => void;
  known: KnownName | undefined = undefined;
  /** Aliases followed so far. */
  aliases = 0;
  private readonly timedOut: () => void;

  constructor(deliver: Waiter["deliver"], timedOut: () => void) {
    super();
    this.deliver = deliver;
    this.timedOut = timedOut;
  }

  /** Waits no longer, and is told why. */
  leave(known: KnownName | undefined, code: number, cached = false): void {
    this.known?.waiters.delete(this);
    this.known = undefined;
    this.deliver(known, code, cached);
  }

  onTimer(): void {
    this.timedOut();
  }
}

/** A name that is asked for or known; its timer is the next try. */
export class KnownName extends Timed {
  readonly family: Family;
  readonly key: string;
  readonly name: string;
  readonly queries: readonly Query[];
  readonly waiters = new Set<Waiter>();
  /** Index of the server that was asked last. */
  server: number;
  /** Servers that were down since the last try. */
  refusals = 0;
  pending = true;
  validUntilMs = 0;
  usedMs = 0;
  /** The smallest of all records' TTLs. */
  ttlS = 2 ** 32 - 1;
  /** Why there is no answer: the last error code of any of the queries. */
  code = 0;
  ipv4: IpAddress[] = [];
  ipv6: IpAddress[] = [];
  services: ResolvedService[] = [];
  /** The name of an address. */
  pointer: string | undefined = undefined;
  /** Another name for this one, when nothing else is known. */
  alias: string | undefined = undefined;
  private readonly again: () => void;

  constructor(family: Family, key: string, name: string, queries: readonly Query[], server: number, again: () => void) {
    super();
    this.family = family;
    this.key = key;
    this.name = name;
    this.queries = queries;
    this.server = server;
    this.again = again;
  }

  onTimer(): void {
    this.again();
  }

  add(waiter: Waiter): void {
    waiter.known = this;
    this.waiters.add(waiter);
  }

  /** Adds the records of an answer. */
  take(answer: DnsAnswer): void {
    if (answer.code !== 0) this.code = answer.code;
    // Of two answers the last one says whether there is an alias, as in nginx; servers say the same twice.
    this.alias = undefined;
    for (const record of answer.records) {
      this.ttlS = Math.min(this.ttlS, record.ttlS);
      if (record.type === A) this.ipv4.push(record.address);
      else if (record.type === AAAA) this.ipv6.push(record.address);
      else if (record.type === SRV) this.services.push(record);
      else if (record.type === PTR) this.pointer ??= record.target;
      else if (record.type === CNAME) this.alias = record.target;
    }
    // A chain of aliases with its end in the same answer needs no following.
    if (this.ipv4.length + this.ipv6.length + this.services.length > 0 || this.pointer !== undefined)
      this.alias = undefined;
    this.services.sort((a, b) => a.priority - b.priority);
  }

  /** All have answered, and nothing was found. */
  get empty(): boolean {
    const found = this.ipv4.length + this.ipv6.length + this.services.length > 0;
    return !found && this.pointer === undefined && (this.alias === undefined || this.family === "address");
  }
}

/**
 * The addresses of a name, IPv4 before IPv6; with `random`, each family begins anywhere, and so does the whole, so that those
 * who take the first one spread out (nginx: ngx_resolver_export).
 */
export function addressesOf(known: KnownName, random: (() => number) | undefined): readonly IpAddress[] {
  const all = [...rotate(known.ipv4, random), ...rotate(known.ipv6, random)];
  return rotate(all, random);
}

function rotate<T>(list: readonly T[], random: (() => number) | undefined): readonly T[] {
  if (random === undefined || list.length < 2) return list;
  const start = Math.floor(random() * list.length);
  return [...list.slice(start), ...list.slice(0, start)];
}
