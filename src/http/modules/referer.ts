/** `$invalid_referer`: whether a request comes from a page that may refer to this server. nginx: ngx_http_referer_module. */

import { translatePattern } from "../../conf/pcre.ts";
import { closingBrace, type Scope } from "../../conf/scope.ts";
import type { Report, Use } from "../../conf/slot.ts";
import { fold, num } from "../../conf/slots.ts";
import { type HostKey, HostTable, lowerAscii, parseHostKey } from "../../net/host-table.ts";
import { REFERER } from "../../wire/http1/fields.ts";
import { httpModule } from "../module.ts";
import type { Request } from "../request.ts";
import { coreServer } from "./core.ts";

/** A host name, perhaps with the beginning of what must follow it; "" for anything. */
interface HostLine {
  readonly key: HostKey;
  readonly uri: string;
}

/** What `valid_referers` says. */
interface Referers {
  readonly hosts: readonly HostLine[];
  /** Expressions for the whole referer behind its scheme. */
  readonly patterns: readonly RegExp[];
  /** Expressions of server names, for the host alone. */
  readonly hostPatterns: readonly RegExp[];
  /** A request without Referer is valid. */
  readonly none: boolean;
  /** A Referer without scheme, as some firewalls leave it, is valid. */
  readonly blocked: boolean;
  readonly serverNames: boolean;
}

const EMPTY: Referers = { hosts: [], patterns: [], hostPatterns: [], none: false, blocked: false, serverNames: false };

/** A host, unless it contradicts one that is there; then the reason. */
function parseHost(word: string, known: readonly HostLine[]): HostLine | string {
  const slash = word.indexOf("/");
  const host = slash < 0 ? word : word.slice(0, slash);
  const key = parseHostKey(host, true);
  if (key === undefined) return `invalid hostname or wildcard "${host}"`;
  const isTaken = known.some(({ key: { conflicts } }) => conflicts.some((one) => key.conflicts.includes(one)));
  return isTaken ? `conflicting parameter "${lowerAscii(host)}"` : { key, uri: slash < 0 ? "" : word.slice(slash) };
}

function parsePattern(use: Use, word: string): RegExp | undefined {
  if (word === "~") return use.fail(`empty regex in "${word}"`);
  const source = word.slice(1);
  const translated = translatePattern(source, true);
  if (translated.ok) return translated.value.regexp;
  return use.fail(`pcre2_compile() failed: ${translated.reason} in "${source}"`);
}

function parseReferers(use: Use, current: Referers = EMPTY): Referers | undefined {
  let { none, blocked, serverNames } = current;
  const hosts = [...current.hosts];
  const patterns = [...current.patterns];
  for (const word of use.args) {
    if (word === "") return use.fail('invalid referer ""');
    if (word === "none") none = true;
    else if (word === "blocked") blocked = true;
    else if (word === "server_names") serverNames = true;
    else if (word.startsWith("~")) {
      const pattern = parsePattern(use, word);
      if (pattern === undefined) return undefined;
      patterns.push(pattern);
    } else {
      const host = parseHost(word, hosts);
      if (typeof host === "string") return use.fail(host);
      hosts.push(host);
    }
  }
  return { ...current, hosts, patterns, none, blocked, serverNames };
}

const directives = {
  valid_referers: fold<Referers, undefined>(undefined, parseReferers, {
    args: [1, Number.POSITIVE_INFINITY],
    syntax: "none | blocked | server_names | string ...",
    doc: "Pages that may refer to this server: host names, perhaps with a path, and regular expressions.",
  }),
  referer_hash_max_size: num(2048, { doc: "Accepted without effect: tables grow as they need." }),
  referer_hash_bucket_size: num(64, { doc: "Accepted without effect: tables grow as they need." }),
};

/** The same with the names of the server around the scope; `complain` is told what contradicts each other. */
function withServerNames(own: Referers, scope: Scope, complain: (message: string) => void): Referers {
  if (!own.serverNames) return own;
  let server = scope;
  while (server.context !== "server" && server.parent !== undefined) server = server.parent;
  const hosts = [...own.hosts];
  const hostPatterns: RegExp[] = [];
  for (const { name, pattern } of server.own(coreServer).server_name ?? [NAMELESS]) {
    const host = pattern === undefined ? parseHost(name, hosts) : undefined;
    if (pattern !== undefined) hostPatterns.push(pattern.regexp);
    else if (typeof host === "string") complain(host);
    else if (host !== undefined) hosts.push(host);
  }
  return { ...own, hosts, hostPatterns };
}

/** Of a server without `server_name`. */
const NAMELESS = { name: "", pattern: undefined };

/** Conflicts have been reported by then. */
const ignore = (): void => {};

function checkReferers(own: Referers, scope: Scope, report: Report): void {
  const { hosts } = withServerNames(own, scope, (message) => report("emerg", message, closingBrace(scope, "http")));
  if ((own.none || own.blocked) && hosts.length === 0) report("emerg", NO_REFERER);
}

const NO_REFERER =
  'the "none" or "blocked" referers are specified in the "valid_referers" directive without any valid referer';

/** A location's referers, ready to be looked up. */
interface Rules extends Referers {
  readonly table: HostTable<string>;
}

const SCHEME = /^https?:\/\//i;
/** Shorter ones are no address: `http://i.ru`. */
const SHORTEST = 11;
const LONGEST_HOST = 256;

/** "1" for an invalid referer, "" for a valid one. */
function value(request: Request): string {
  const rules = request.location.prepared.get(referer) as Rules | undefined;
  return rules === undefined || isValid(rules, request.head.knownValue(REFERER)) ? "" : "1";
}

function isValid({ table, patterns, hostPatterns, none, blocked }: Rules, sent: string | undefined): boolean {
  if (sent === undefined) return none;
  const scheme = sent.length < SHORTEST ? null : SCHEME.exec(sent);
  if (scheme === null) return blocked;
  const rest = sent.slice(scheme[0].length);
  const end = rest.search(/[/:]/);
  const host = lowerAscii(end < 0 ? rest : rest.slice(0, end));
  if (host.length > LONGEST_HOST) return false;
  const uri = table.find(host);
  if (uri === "") return true;
  if (uri !== undefined) {
    const slash = rest.indexOf("/");
    return slash >= 0 && rest.startsWith(uri, slash);
  }
  return hostPatterns.some((pattern) => pattern.test(host)) || patterns.some((pattern) => pattern.test(rest));
}

export const referer = httpModule({
  name: "referer",
  contexts: "server, location",
  directives,
  variables: [
    {
      name: "invalid_referer",
      doc: "`1` when the Referer is none of valid_referers, else empty.",
      isChangeable: true,
      get: value,
    },
  ],
  // Hosts are displaced by those of an inner scope, expressions only by expressions.
  merge: (merged, outer, { own, scope }) => {
    if (own.valid_referers === undefined) return merged;
    const whole = withServerNames(own.valid_referers, scope, ignore);
    const { patterns = [], hostPatterns = [] } = outer?.valid_referers ?? {};
    const valid_referers: Referers = {
      ...whole,
      patterns: whole.patterns.length > 0 ? whole.patterns : patterns,
      hostPatterns: whole.hostPatterns.length > 0 ? whole.hostPatterns : hostPatterns,
    };
    return { ...merged, valid_referers };
  },
  check: (_conf, { own, scope }, report) => {
    if (own.valid_referers !== undefined) checkReferers(own.valid_referers, scope, report);
  },
  prepare: ({ valid_referers: referers }): Rules | undefined => {
    if (referers === undefined) return undefined;
    const table = new HostTable<string>();
    for (const { key, uri } of referers.hosts) table.add(key, uri);
    return { ...referers, table };
  },
});
