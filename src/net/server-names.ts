/**
 * Which virtual server a host belongs to: exact names, then the longest wildcard in front, the longest behind, then
 * regular expressions in their order. Counterpart in nginx: ngx_http_find_virtual_server, ngx_stream_find_virtual_server.
 */
import { parsePattern } from "../conf/pattern.ts";
import type { Pattern } from "../conf/pcre.ts";
import type { Report, Use } from "../conf/slot.ts";
import { parseHostKey } from "./host-table.ts";
import type { Matcher } from "./variables.ts";

/** One name of `server_name`. */
export interface ServerNameWord {
  readonly name: string;
  readonly pattern: Pattern | undefined;
}

const WILDCARD = /^(\*\.[^*]+|[^*]+\.\*)$/;

/** Adds the words of one `server_name`; undefined when one has been refused. */
export function parseServerName(
  use: Use,
  current: readonly ServerNameWord[] | undefined,
): readonly ServerNameWord[] | undefined {
  const names = [...(current ?? [])];
  for (const word of use.args) {
    if (word.startsWith("~")) {
      if (word === "~") return use.fail('empty regex in server name "~"');
      const source = word.slice(1);
      const pattern = parsePattern(use, source, /[A-Z]/.test(source));
      if (pattern === undefined) return undefined;
      names.push({ name: word, pattern });
      continue;
    }
    if (word === "." || /^\*(?!\..)/.test(word)) return use.fail(`server name "${word}" is invalid`);
    if (word.includes("*") && !WILDCARD.test(word)) {
      return use.fail(`invalid server name or wildcard "${word}"`);
    }
    if (word.includes("/")) use.warn(`server name "${word}" has suspicious symbols`);
    // No other variable means anything here.
    const name = word === "$hostname" ? use.environment.hostName : undefined;
    names.push({ name: name ?? word.toLowerCase(), pattern: undefined });
  }
  return names;
}

/** A name as `$server_name` has it. */
export function displayName(name: string): string {
  return name.startsWith(".") ? name.slice(1) : name;
}

/** Of two servers of an address with one name the first gets what comes: nginx: ngx_http_server_names, ngx_stream_server_names. */
export function checkNames(address: string, servers: readonly (readonly ServerNameWord[])[], report: Report): void {
  if (servers.length < 2) return;
  const taken = new Set<string>();
  for (const names of servers) {
    for (const { name, pattern } of names.length === 0 ? [UNNAMED] : names) {
      if (pattern !== undefined) continue;
      const conflicts = parseHostKey(name, true)?.conflicts ?? [];
      if (conflicts.some((one) => taken.has(one)))
        report("warn", `conflicting server name "${name}" on ${address}, ignored`);
      else for (const one of conflicts) taken.add(one);
    }
  }
}

/** A server without `server_name`. */
const UNNAMED: ServerNameWord = { name: "", pattern: undefined };

/** A `server_name` with the server that it stands in. */
export interface ServerName<S, V> {
  /** Lower case; `*.example.org`, `.example.org`, `www.example.*`, or `~` and an expression. */
  readonly name: string;
  readonly server: V;
  /** For a regular expression. */
  readonly matches: Matcher<S> | undefined;
}

export class ServerNames<S, V> {
  private readonly exact = new Map<string, V>();
  /** Wildcards in front by what follows the star: `.example.org`. */
  private readonly tails = new Map<string, V>();
  /** Wildcards behind by what precedes the star: `www.example.`. */
  private readonly heads = new Map<string, V>();
  private readonly regexes: { readonly matches: Matcher<S>; readonly server: V }[] = [];

  /** Adds a name; false when another server of this address has it already. */
  add({ name, server, matches }: ServerName<S, V>): boolean {
    if (matches !== undefined) {
      this.regexes.push({ matches, server });
      return true;
    }
    if (name.startsWith(".")) return this.put(this.exact, name.slice(1), server) && this.put(this.tails, name, server);
    if (name.startsWith("*.")) return this.put(this.tails, name.slice(1), server);
    if (name.endsWith(".*")) return this.put(this.heads, name.slice(0, -1), server);
    return this.put(this.exact, name, server);
  }

  private put(map: Map<string, V>, key: string, server: V): boolean {
    if (map.has(key)) return false;
    map.set(key, server);
    return true;
  }

  /** The server of a host (lower case, without port), undefined when no name matches. */
  find(subject: S, host: string): V | undefined {
    const exact = this.exact.get(host);
    if (exact !== undefined) return exact;
    if (host === "") return undefined;
    if (this.tails.size > 0) {
      for (let dot = host.indexOf(".", 1); dot >= 0; dot = host.indexOf(".", dot + 1)) {
        const server = this.tails.get(host.slice(dot));
        if (server !== undefined) return server;
      }
    }
    if (this.heads.size > 0) {
      for (let dot = host.lastIndexOf(".", host.length - 2); dot >= 0; dot = host.lastIndexOf(".", dot - 1)) {
        const server = this.heads.get(host.slice(0, dot + 1));
        if (server !== undefined) return server;
        if (dot === 0) break;
      }
    }
    for (const { matches, server } of this.regexes) if (matches(subject, host)) return server;
    return undefined;
  }
}
